use super::*;
use crate::proto::testing::request_head;

fn pair(value: &str) -> Result<(String, String), Reason> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Credentials::parse(value.as_bytes()).map(|it| (text(it.user), text(it.password)))
}

#[test]
fn credentials_are_read_to_the_letter() {
    let is = |user: &str, password: &str| Ok((user.to_owned(), password.to_owned()));
    let malformed = Err(Reason::AuthMalformed);
    for (value, expected) in [
        // RFC 7617 section 2, and its section 2.1 with a pound sign.
        (
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            is("Aladdin", "open sesame"),
        ),
        ("basic dGVzdDoxMjPCow==", is("test", "123£")),
        ("BASIC   YTpi", is("a", "b")),
        // a:b:c, :b, a:, :
        ("Basic YTpiOmM=", is("a", "b:c")),
        ("Basic OmI=", is("", "b")),
        ("Basic YTo=", is("a", "")),
        ("Basic Og==", is("", "")),
        ("Basic", malformed.clone()),
        ("Basic ", malformed.clone()),
        // No padding, too much of it, bits that belong to nothing, another alphabet, something behind.
        ("Basic OmI", malformed.clone()),
        ("Basic YTpi=", malformed.clone()),
        ("Basic OmJ=", malformed.clone()),
        ("Basic YTr_", malformed.clone()),
        ("Basic YTpi,", malformed.clone()),
        ("Basic YTpi x", malformed.clone()),
        ("Basic\tYTpi", Err(Reason::AuthMissing)),
        // Without a colon; with a NUL or a line end.
        ("Basic YWI=", malformed.clone()),
        ("Basic YQA6Yg==", malformed.clone()),
        ("Basic YTpiAGM=", malformed.clone()),
        ("Basic YTpiCg==", malformed.clone()),
        ("Bearer YTpi", Err(Reason::AuthMissing)),
        ("Basics YTpi", Err(Reason::AuthMissing)),
        ("", Err(Reason::AuthMissing)),
    ] {
        assert_eq!(pair(value), expected, "{value:?}");
    }
}

#[test]
fn a_password_without_end_is_malformed() {
    let field = |len: usize| {
        let pair = [&b"a:"[..], &vec![b'x'; len]].concat();
        format!("Basic {}", STANDARD.encode(pair))
    };
    assert!(pair(&field(PASSWORD_MAX)).is_ok());
    assert_eq!(pair(&field(PASSWORD_MAX + 1)), Err(Reason::AuthMalformed));
}

#[test]
fn one_field_is_one_claim() {
    let of = |fields: &str| {
        let head = request_head(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes());
        Credentials::of(&head).map(|it| it.user)
    };
    assert_eq!(of("authorization: Basic YTpi\r\n"), Ok(b"a".to_vec()));
    assert_eq!(of(""), Err(Reason::AuthMissing));
    let twice = "Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n";
    assert_eq!(of(twice), Err(Reason::AuthMalformed));
}

#[test]
fn a_claim_is_not_printed() {
    let claim = Credentials::parse(b"Basic YTpi").unwrap();
    assert_eq!(format!("{claim:?}"), "Credentials");
}

#[test]
fn realms_stay_apart_and_in_their_quotes() {
    for (realm, value) in [
        ("/", "/"),
        ("/a\\b/", "/a%5Cb/"),
        ("/%22/", "/%2522/"),
        ("/ä\"/", "/%C3%A4%22/"),
    ] {
        let expected = format!("Basic realm=\"{value}\", charset=\"UTF-8\"");
        assert_eq!(challenge(realm), expected);
    }
}
