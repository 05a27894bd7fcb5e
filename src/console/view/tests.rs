use super::*;
use crate::console::journey::{BODY_MAX, FINDINGS_MAX, VARIABLES_MAX};
use crate::proto::Reason;
use crate::proto::finding::Finding;

fn journey() -> Journey {
    let mut journey = Journey {
        head: b"POST /x?a=1 HTTP/1.1\r\nHost: h\r\nCookie: secret-cookie\r\nAUTHORIZATION: Basic secret\r\n\r\n".to_vec(),
        response: b"HTTP/1.1 200 OK\r\nSet-Cookie: secret-set\r\nVary: a:b\r\n\r\n".to_vec(),
        body: Some(Kept::of(b"secret-body".to_vec(), 11)),
        is_body_stdin: true,
        stdout: Some(Kept::of(b"secret-out".to_vec(), 10)),
        stderr: Some(Kept::of(b"secret-err".to_vec(), 10)),
        findings: vec![Finding::error(Reason::CgiExit, "It failed.", "mend it").shown_by("it said", b"secret-said")],
        status: 200,
        ..Journey::default()
    };
    journey.tell(
        [
            (&b"HTTP_COOKIE"[..], &b"secret-cookie"[..]),
            (b"DB", b"secret-db"),
            (b"EMPTY", b""),
        ]
        .into_iter(),
    );
    for (step, at) in [
        (Step::Received, 1_000),
        (Step::LastByte, 3_500),
        (Step::Resolved, 1_010),
    ] {
        journey.step(step, at);
    }
    journey.program = Some(Box::default());
    journey.program.as_mut().unwrap().command = vec![b"/srv/x".to_vec()];
    journey
}

fn shown(journey: &Journey, sight: Sight) -> String {
    let mut json = Json::new();
    let why = Why {
        sentences: vec!["Because.".to_owned()],
        tried: vec![("/srv/x".to_owned(), "found")],
        ..Why::default()
    };
    whole(&mut json, journey, 0, &why, sight, &Place::Authority("h"));
    json.finish()
}

#[test]
fn what_is_secret_is_shown_to_who_may_see_it_and_asks() {
    let bodies = Sight {
        bodies: true,
        secrets: false,
    };
    let all = Sight {
        secrets: true,
        ..bodies
    };
    let journey = journey();
    assert!(!shown(&journey, Sight::default()).contains("secret"));
    for bytes in [&b"secret-body"[..], b"secret-out", b"secret-err"] {
        let bytes = base64(bytes);
        assert!(!shown(&journey, Sight::default()).contains(&bytes));
        assert!(shown(&journey, bodies).contains(&bytes));
    }
    let seen = shown(&journey, bodies);
    assert!(seen.contains("secret-said") && seen.contains("--data-raw secret-body"));
    for secret in ["secret-cookie", "secret-set", "secret-db", "Basic secret"] {
        assert!(!seen.contains(secret), "{secret}");
        assert!(shown(&journey, all).contains(secret), "{secret}");
    }
}

#[test]
fn it_is_told_in_order() {
    let json = shown(&journey(), Sight::default());
    for part in [
        "\"at\":\"1970-01-01T00:00:00.001Z\"",
        "\"method\":\"POST\",\"target\":\"/x?a=1\"",
        "\"took\":2500",
        "{\"name\":\"received\",\"at\":0},{\"name\":\"resolved\",\"at\":10},{\"name\":\"last byte\",\"at\":2500}",
        "\"why\":[\"Because.\"],\"tried\":[{\"path\":\"/srv/x\",\"result\":\"found\"}]",
        "{\"name\":\"Vary\",\"value\":\"a:b\"}",
        "\"line\":\"POST /x?a=1 HTTP/1.1\"",
        "\"body\":{\"length\":11,\"hidden\":true}",
        "{\"name\":\"EMPTY\",\"masked\":true",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, date) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399, "2000-02-28T23:59:59.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199, "2024-02-29T23:59:59.000Z"),
        (1_735_689_600, "2025-01-01T00:00:00.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(super::date(seconds * 1_000_000), date);
    }
    assert_eq!(super::date(1_123_999), "1970-01-01T00:00:01.123Z");
}

#[test]
fn bytes_are_written_in_base64() {
    // RFC 4648 section 10.
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
    assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
}

#[test]
fn what_is_kept_is_bounded() {
    let kept = Kept::of(vec![b'x'; 3 * BODY_MAX], 1 << 30);
    assert_eq!(
        (kept.bytes.len(), kept.length, kept.is_cut()),
        (BODY_MAX, 1 << 30, true)
    );
    let mut journey = Journey::default();
    let value = vec![b'v'; VARIABLES_MAX / 4];
    journey.tell((0..10).map(|_| (&b"NAME"[..], &value[..])));
    assert_eq!(journey.variables().count(), 3);
    assert!(journey.variables.len() <= VARIABLES_MAX);
    for number in 0..2 * FINDINGS_MAX {
        let finding = Finding::error(Reason::CgiExit, number.to_string(), "");
        journey.find(&finding);
        journey.find(&finding);
    }
    assert_eq!(journey.findings.len(), FINDINGS_MAX);
}

#[test]
fn what_is_no_request_is_shown_as_far_as_it_is_one() {
    for head in [
        &b""[..],
        b"\xff\0",
        b"GET",
        b"GET /",
        b"GET / HTTP/1.1\r\nno colon\r\n: \r\n",
    ] {
        let journey = Journey {
            head: head.to_vec(),
            ..Journey::default()
        };
        assert!(shown(&journey, Sight::default()).starts_with("{\"seq\":0,"));
    }
    let long = Journey {
        head: format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(5 * TARGET_MAX)).into_bytes(),
        ..Journey::default()
    };
    let mut json = Json::new();
    summary(&mut json, &long, 0);
    assert!(json.finish().len() < TARGET_MAX + 512);
}
