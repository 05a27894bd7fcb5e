use super::super::tests::{check_refusals, parse_words, settings_of};
use super::*;

fn variables(words: &[&str]) -> Vec<(Vec<u8>, Vec<u8>)> {
    settings_of(words).environment
}

fn pair(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.into(), value.into())
}

#[test]
fn variables_are_set_or_passed_on() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 8] = [
        (&[], &[]),
        (&["-e", "A=1"], &[("A", "1")]),
        (&["-e", "A="], &[("A", "")]),
        (&["-e", "_a1=x=y z"], &[("_a1", "x=y z")]),
        (&["-e", "TZ"], &[("TZ", "Europe/Paris")]),
        (
            &["-e", "TZ=UTC", "--env", "PATH=/bin"],
            &[("TZ", "UTC"), ("PATH", "/bin")],
        ),
        (&["-e", "NOT_SET_IN_THE_SERVER", "-e", "B=2"], &[("B", "2")]),
        (
            &["-e", "http_proxy=http://[::1]:3128"],
            &[("http_proxy", "http://[::1]:3128")],
        ),
    ];
    for (words, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect();
        assert_eq!(variables(words), expected, "{words:?}");
    }
}

#[test]
fn authorization_is_passed_only_when_named() {
    assert_eq!(settings_of(&[]).authorization, Authorization::Withheld);
    let settings = settings_of(&["-e", "HTTP_AUTHORIZATION"]);
    assert_eq!(settings.authorization, Authorization::Passed);
    assert_eq!(settings.environment, []);
}

#[test]
fn https_is_what_the_operator_says() {
    assert_eq!(settings_of(&[]).scheme, Scheme::Http);
    let settings = settings_of(&["-e", "HTTPS=on"]);
    assert_eq!(settings.scheme, Scheme::Https);
    assert_eq!(settings.environment, []);
    let problem = "can be HTTPS=on alone, for a server that is reached by https";
    let values = ["HTTPS", "HTTPS=", "HTTPS=1", "HTTPS=off", "https=on"];
    check_refusals("--env", &values.map(|value| (value, problem)));
}

#[test]
fn loader_variables_are_passed_with_a_warning() {
    let settings = settings_of(&["-e", "LD_LIBRARY_PATH=/opt/lib", "-e", "LD_PRELOAD"]);
    assert_eq!(settings.environment, [pair("LD_LIBRARY_PATH", "/opt/lib")]);
    let warning =
        "--env: LD_LIBRARY_PATH decides what code is loaded into every program that is run";
    assert_eq!(settings.warnings, [warning]);
}

#[test]
fn names_that_are_not_the_operators_are_refused() {
    let form = "has no valid name; write NAME=VALUE or NAME, with a NAME of letters, digits and '_' \
                that begins with no digit";
    let field = "has a name that belongs to fields of requests; choose one without HTTP_";
    let authorization = "is a field of requests; write HTTP_AUTHORIZATION alone to pass it";
    let computed = "has a name that the server computes for each request; choose another";
    let cases = [
        ("", form),
        ("=x", form),
        ("1A=x", form),
        ("A-B=x", form),
        ("A B", form),
        ("É=x", form),
        ("HTTP_ACCEPT=x", field),
        ("HTTP_COOKIE", field),
        ("http_accept=x", field),
        ("HTTP_PROXY=x", field),
        ("Http_Proxy=x", field),
        ("HTTP_AUTHORIZATION=Basic x", authorization),
        ("http_authorization", authorization),
        ("PATH_INFO", computed),
        ("Path_Info=x", computed),
    ];
    check_refusals("--env", &cases);
    for name in COMPUTED {
        check_refusals(
            "--env",
            &[(name, computed), (&format!("{name}=x"), computed)],
        );
    }
}

#[test]
fn a_name_is_given_once() {
    let error = parse_words(&["-e", "A=1", "-e", "A=2"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--env: 'A=2' gives A a second value; give each name once"
    );
}
