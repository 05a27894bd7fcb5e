//! What follows `tollgate check`: a program or folder, the request to make up, and options of the server.
//!
//! Rules: the request is one that a client could send. Whatever the server would be told for programs
//! (`--env`, `--limit`, `--user`, `--cgi .php=...`) is told here in the same way.

use std::ffi::OsString;
use std::path::PathBuf;

use super::args;
use super::{Command, Surroundings, UsageError, help, origin, settings};
use crate::proto::grammar::is_tchar;

/// What to check, and by which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A program, or a folder to look at.
    pub path: PathBuf,
    /// The query of the URL, still encoded.
    pub query: Option<String>,
    /// The method.
    pub method: String,
    /// The file that holds the body.
    pub body: Option<PathBuf>,
    /// Fields of the request.
    pub fields: Vec<(String, String)>,
    /// Whether to report in JSON.
    pub json: bool,
}

/// The options that only this command has, and whether each takes a value.
const OWN: [(&str, bool); 5] = [
    ("query", true),
    ("method", true),
    ("body", true),
    ("header", true),
    ("json", false),
];

/// Reads what follows `tollgate check`. A folder of that name is served as `./check`.
pub(super) fn parse(
    args: &[OsString],
    surroundings: &Surroundings<'_>,
) -> Result<Command, UsageError> {
    let (line, own) = args::read_with(args.iter().cloned(), &OWN)?;
    if let Some(answer) = line.answer() {
        return Ok(match answer() {
            Command::Help(_) => Command::Help(help::check()),
            other => other,
        });
    }
    let values = |name: &str| {
        let found = own.iter().find(|(known, _)| *known == name);
        found.map_or(&[][..], |(_, values)| values)
    };
    let single = |name: &str| match values(name) {
        [_, second, ..] => Err(UsageError::of_value(
            format_args!("--{name}"),
            second,
            "is a second value; give this option once",
        )),
        values => Ok(values.first().cloned()),
    };
    let body = single("body")?.map(PathBuf::from);
    let method = single("method")?;
    let method = method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
    if method.is_empty() || !method.bytes().all(is_tchar) {
        let problem = "is no method; write it like GET or POST";
        return Err(UsageError::of_value("--method", &method, problem));
    }
    let query = single("query")?.map(|query| query.trim_start_matches('?').to_owned());
    if let Some(query) = &query
        && query
            .bytes()
            .any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f)
    {
        let problem = "has a space, a # or a control character; write them as %20 or so";
        return Err(UsageError::of_value("--query", query, problem));
    }
    let fields = values("header")
        .iter()
        .map(|text| field(text))
        .collect::<Result<_, _>>()?;
    let check = Check {
        path: line.value("root").map_or(".", |value| &value.text).into(),
        query,
        method,
        body,
        fields,
        json: !values("json").is_empty(),
    };
    let layers = origin::layers(line, surroundings)?;
    let settings = settings::settle(&layers, surroundings)?;
    Ok(Command::Check(Box::new(settings), Box::new(check)))
}

fn field(text: &str) -> Result<(String, String), UsageError> {
    let wrong = || {
        let problem = "is no field; write it as 'Name: value'";
        UsageError::of_value("--header", text, problem)
    };
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let value = value.trim();
    let is_field =
        !name.is_empty() && name.bytes().all(is_tchar) && !value.contains(char::is_control);
    is_field
        .then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse_words;
    use super::*;

    fn check(words: &[&str]) -> Result<Check, String> {
        match parse_words(words) {
            Ok(Command::Check(_, check)) => Ok(*check),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_request_is_made_up_from_the_options() {
        let found = check(&[
            "check",
            "x.py",
            "--query",
            "?a=1&b",
            "--header",
            "Cookie: a=b",
            "--header",
            "X-Y:z",
            "--json",
            "--body",
            "form",
            "--env",
            "A=1",
        ]);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            Ok(Check {
                path: "x.py".into(),
                query: Some("a=1&b".to_owned()),
                method: "POST".to_owned(),
                body: Some("form".into()),
                fields: vec![field("Cookie", "a=b"), field("X-Y", "z")],
                json: true,
            })
        );
        assert_eq!(
            check(&["check", "x"]).map(|it| it.method),
            Ok("GET".to_owned())
        );
        assert_eq!(check(&["check"]).map(|it| it.path), Ok(".".into()));
        assert!(matches!(
            parse_words(&["check", "--help"]),
            Ok(Command::Help(_))
        ));
        // Not the command.
        assert!(matches!(parse_words(&["./check"]), Ok(Command::Serve(_))));
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for (words, told) in [
            (
                &["--method", "G T"][..],
                "--method: 'G T' is no method; write it like GET or POST",
            ),
            (
                &["--query", "a b"],
                "--query: 'a b' has a space, a # or a control character; write them as %20 or so",
            ),
            (
                &["--header", "X y: z"],
                "--header: 'X y: z' is no field; write it as 'Name: value'",
            ),
            (
                &["--header", "no"],
                "--header: 'no' is no field; write it as 'Name: value'",
            ),
            (
                &["--body", "a", "--body", "b"],
                "--body: 'b' is a second value; give this option once",
            ),
            (
                &["--no-such"],
                "--no-such: unknown option; see tollgate --help",
            ),
            (
                &["y"],
                "ROOT: 'y' is a second folder; give one, or none for .",
            ),
        ] {
            let words = [&["check", "x"], words].concat();
            assert_eq!(check(&words), Err(told.to_owned()));
        }
    }
}
