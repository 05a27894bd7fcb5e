use super::*;
use crate::console::journey::Program;

const ALL: Sight = Sight {
    bodies: true,
    secrets: true,
};

fn journey(head: &str, body: Option<&[u8]>) -> Journey {
    Journey {
        head: head.replace('\n', "\r\n").into_bytes(),
        body: body.map(|body| Kept::of(body.to_vec(), body.len() as u64)),
        ..Journey::default()
    }
}

#[track_caller]
fn curl_of(head: &str, body: Option<&[u8]>) -> String {
    curl(&journey(head, body), &Place::Authority("h:1"), ALL).unwrap()
}

#[test]
fn a_request_is_repeated_and_nothing_added() {
    let plain = "GET /a?b=1 HTTP/1.1\nHost: h:1\nUser-Agent: u\nAccept: a\n\n";
    assert_eq!(
        curl_of(plain, None),
        "curl -i -g -H 'Host: h:1' -H 'User-Agent: u' -H 'Accept: a' --path-as-is 'http://h:1/a?b=1'"
    );
    for (head, body, parts) in [
        (
            "GET / HTTP/1.0\n\n",
            None,
            &["--http1.0", "-H User-Agent: -H Accept: -H Host:"][..],
        ),
        ("HEAD / HTTP/1.1\nHost: h\n\n", None, &["--head"]),
        (
            "BREW /a HTTP/1.1\nHost: h\nX:\n\n",
            None,
            &["-X BREW", "-H 'X;'"],
        ),
        (
            "POST /a HTTP/1.1\nHost: h\nContent-Length: 3\n\n",
            Some(&b"a'b"[..]),
            &[
                "-X POST",
                "-H Content-Type: -H Expect:",
                "--data-raw 'a'\\''b'",
            ],
        ),
        (
            "PUT /a HTTP/1.1\nHost: h\nContent-Type: t\n\n",
            Some(b"\0\xff"),
            &["printf %s AP8= | base64 -d | curl", "--data-binary @-"],
        ),
        // What would mean something to curl or a shell.
        (
            "GET /[a]{b}/../$(x)'`y` HTTP/1.1\nHost: h\n\n",
            None,
            &["--path-as-is 'http://h:1/[a]{b}/../$(x)'\\''`y`'"],
        ),
        (
            "OPTIONS * HTTP/1.1\nHost: h\n\n",
            None,
            &["--request-target '*'", "http://h:1/"],
        ),
        (
            "GET http://o/ HTTP/1.1\nHost: h\n\n",
            None,
            &["--request-target http://o/"],
        ),
    ] {
        let command = curl_of(head, body);
        for part in parts {
            assert!(command.contains(part), "{part} in {command}");
        }
        assert!(!command.contains("Content-Length"), "{command}");
    }
    let unix = curl(&journey(plain, None), &Place::Unix("/run/a b"), ALL).unwrap();
    assert!(
        unix.ends_with(" --unix-socket '/run/a b' --path-as-is 'http://localhost/a?b=1'"),
        "{unix}"
    );
    assert_eq!(curl(&journey("", None), &Place::Unix(""), ALL), None);
    let refused = curl_of("PUT / HTTP/1.1\nHost: h\nContent-Length: 3\n\n", None);
    assert!(
        refused.ends_with(" # its body was not taken in, and is not here"),
        "{refused}"
    );
}

/// A page has no way to show, nor a clipboard to take, what is no UTF-8.
#[test]
fn bytes_that_are_no_text_are_written_out() {
    let mut journey = journey("", None);
    journey.head = b"GET / HTTP/1.1\r\nHost: h\r\nX: a\xff'%s$1\r\n\r\n".to_vec();
    journey.program = Some(Box::new(Program {
        command: vec![
            b"/bin/sh".to_vec(),
            b"-c".to_vec(),
            b"printf %s \"$A$B\"".to_vec(),
        ],
        folder: b"/".to_vec(),
        ..Program::default()
    }));
    let (a, b) = (&b"\xff1%s\\n'\"$HOME `x` \x01\xc3"[..], &b"\xc3\xbc\n"[..]);
    journey.tell([(&b"A"[..], a), (b"B", b)].into_iter());
    let curl = curl(&journey, &Place::Authority("h"), ALL).unwrap();
    assert!(
        curl.contains(r#" -H "$(printf 'X\072\040a\377\047\045s\0441')" "#),
        "{curl}"
    );
    let run = run(&journey, ALL).unwrap();
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &run])
        .output()
        .unwrap();
    assert_eq!(output.stdout, [a, b].concat(), "{run}");
}

#[test]
fn what_may_not_be_seen_is_not_there_and_what_was_cut_is_told() {
    let head = "POST / HTTP/1.1\nHost: h\nCookie: secret\n\n";
    let mut journey = journey(head, Some(b"hidden"));
    journey.program = Some(Box::new(Program {
        command: vec![b"/srv/x y".to_vec(), b"-v".to_vec()],
        folder: b"/srv".to_vec(),
        ..Program::default()
    }));
    journey.is_body_stdin = true;
    journey.tell(
        [
            (&b"HTTP_COOKIE"[..], &b"secret"[..]),
            (b"A", b"it's"),
            (b"ODD-NAME", b"1"),
        ]
        .into_iter(),
    );
    for sight in [Sight::default(), ALL] {
        let (curl, run) = (
            curl(&journey, &Place::Authority("h"), sight).unwrap(),
            run(&journey, sight).unwrap(),
        );
        for command in [&curl, &run] {
            assert_eq!(command.contains("secret"), sight.secrets, "{command}");
            assert_eq!(command.contains("hidden"), sight.bodies, "{command}");
            assert_eq!(
                command.contains("# the body is shown with the token alone"),
                !sight.bodies
            );
        }
    }
    assert_eq!(
        run(&journey, ALL).unwrap(),
        "cd /srv && printf %s hidden | env -i HTTP_COOKIE=secret A='it'\\''s' ODD-NAME=1 '/srv/x y' -v"
    );
    journey.body.as_mut().unwrap().length = 100;
    assert!(
        run(&journey, ALL)
            .unwrap()
            .ends_with(" # the body was longer, and is cut here")
    );
    journey.body = None;
    assert!(run(&journey, ALL).unwrap().ends_with(" </dev/null"));
    journey.program.as_mut().unwrap().command[0] = b"/srv/a=b".to_vec();
    assert_eq!(run(&journey, ALL), None);
}
