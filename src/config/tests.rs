use super::*;

/// Parses `words` where there are 4 cores, a terminal, and a variable TZ.
pub(super) fn parse_words(words: &[&str]) -> Result<Command, UsageError> {
    parse_where(words, &|_| Err("is not there".to_owned()))
}

/// The same, where a file holds this text, whatever its name.
pub(super) fn parse_with_file(
    words: &[&str],
    text: impl AsRef<[u8]>,
) -> Result<Command, UsageError> {
    parse_where(words, &|_| Ok(text.as_ref().to_vec()))
}

fn parse_where(
    words: &[&str],
    file: &dyn Fn(&Path) -> Result<Vec<u8>, String>,
) -> Result<Command, UsageError> {
    let variable = |name: &str| (name == "TZ").then(|| OsString::from("Europe/Paris"));
    let surroundings = Surroundings {
        variable: &variable,
        cores: 4,
        stdout_is_terminal: true,
        file,
    };
    parse(words.iter().map(OsString::from), &surroundings)
}

pub(super) fn settings_of(words: &[&str]) -> Settings {
    match parse_words(words) {
        // What these say is in the others too.
        Ok(Command::Serve(settings)) => Settings {
            fixed: Vec::new(),
            ..settings
        },
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Checks that each of `values`, given to `option`, is refused with exactly its line.
pub(super) fn check_refusals(option: &str, cases: &[(&str, &str)]) {
    for (value, problem) in cases {
        let line = parse_words(&[option, value]).expect_err(value).to_string();
        assert_eq!(line, format!("{option}: '{value}' {problem}"));
    }
}

#[test]
fn help_and_version_come_before_wrong_values() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["-t", "x", "-h"],
        &["-hV"],
        &["-h", "-h", "a"],
    ] {
        assert!(
            matches!(parse_words(words), Ok(Command::Help(_))),
            "{words:?}"
        );
    }
    for words in [&["-V"][..], &["--version", "--listen", ""]] {
        let version = format!("tollgate {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            parse_words(words),
            Ok(Command::Version(version)),
            "{words:?}"
        );
    }
}

#[test]
fn a_start_error_names_option_value_and_form() {
    let mut error = StartError {
        place: String::new(),
        option: "--static",
        value: "/srv/x".to_owned(),
        problem: "is not a folder; give an existing folder as ROUTE=DIR".to_owned(),
        exit: ExitStatus::Usage,
    };
    let line = "--static: '/srv/x' is not a folder; give an existing folder as ROUTE=DIR";
    assert_eq!(error.to_string(), line);
    assert_eq!(
        (ExitStatus::Usage.code(), ExitStatus::CouldNotStart.code()),
        (2, 1)
    );

    error.value.clear();
    error.problem = "no descriptor is left".to_owned();
    assert_eq!(error.to_string(), "--static: no descriptor is left");
}
