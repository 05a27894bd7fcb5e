use super::*;

// Made with crypt(3) of libxcrypt.
const SESAME: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";
const SECRET: &str = "$2b$04$....................../dCAsp4PpJoDgv6BeaLP6BKrXlBV1oi";
const POUND: &str = "$2a$04$ABCDEFGHIJKLMNOPQRSTU.LNzGflbLLUhArqHtDTDyGVKMRJq.b/m";
const LONG: &str = "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

#[test]
fn hashes_of_another_implementation_are_understood() {
    for (password, hash) in [
        ("open sesame", SESAME),
        ("secret", SECRET),
        ("geheim£", POUND),
        // Every implementation looks at 72 bytes.
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            LONG,
        ),
    ] {
        assert!(is_right(password.as_bytes(), hash), "{password}");
        assert!(
            !is_right(format!("X{password}").as_bytes(), hash),
            "{password}"
        );
    }
    assert!(!is_right(b"", SESAME));
}

#[test]
fn users_stand_on_lines() {
    let text = format!("# joe:{SECRET}\n\njoe:{SESAME}\r\n  \nAnn B:{SECRET}:a note\nä:{POUND}");
    let (users, bad) = Users::parse(text.as_bytes());
    assert_eq!(bad, []);
    assert_eq!(users.count(), 3);
    assert_eq!(users.hash_of(b"joe"), Some(SESAME));
    assert_eq!(users.hash_of(b"Ann B"), Some(SECRET));
    assert_eq!(users.hash_of("ä".as_bytes()), Some(POUND));
    for name in [&b"Joe"[..], b"joe ", b"# joe", b"", b"\xe4"] {
        assert_eq!(users.hash_of(name), None, "{}", name.escape_ascii());
    }
}

#[test]
fn a_line_that_is_of_no_use_is_named_and_not_quoted() {
    let dear = SESAME.replace("$04$", "$17$");
    for (line, told) in [
        ("joe:$apr1$x$y", "user 'joe': MD5 is not taken"),
        ("joe:$1$x$y", "user 'joe': MD5 is not taken"),
        ("joe:{SHA}x=", "user 'joe': SHA-1 is not taken"),
        (
            "joe:$5$x$y",
            "user 'joe': SHA-crypt ($5$, $6$) is not taken",
        ),
        (
            "joe:$6$rounds=5000$x$y",
            "user 'joe': SHA-crypt ($5$, $6$) is not taken",
        ),
        (
            "joe:$2x$04$x",
            "user 'joe': the faulty bcrypt of old PHP ($2x$) is not taken",
        ),
        (
            "joe:$y$j9T$x$y",
            "user 'joe': a hash of an unknown kind is not taken",
        ),
        (
            "joe:hunter2",
            "user 'joe': a plain password or an old crypt(3) hash is not taken",
        ),
        ("joe:", "user 'joe': an empty password is not taken"),
        (
            "joe:$2y$04$short",
            "user 'joe': the bcrypt hash is malformed",
        ),
        (
            &format!("joe:{}", SESAME.replace("$04$", "$03$")),
            "user 'joe': the bcrypt hash is malformed",
        ),
        (
            &format!("joe:{}", SESAME.replace("$04$", "$+4$")),
            "user 'joe': the bcrypt hash is malformed",
        ),
        (
            &format!("joe:{dear}"),
            "user 'joe': cost 17 is more than 16",
        ),
        (&format!("ann:{SECRET}"), "user 'ann' is there twice"),
        ("joe", "has no colon"),
        (&format!(":{SECRET}"), "has no valid user"),
        (&format!("a\tb:{SECRET}"), "has no valid user"),
    ] {
        let text = format!("ann:{SECRET}\n{line}\nlast:{SESAME}\n");
        let (users, bad) = Users::parse(text.as_bytes());
        let [bad] = bad.as_slice() else {
            panic!("{line}: {bad:?}")
        };
        let shown = bad.to_string();
        assert!(
            shown.starts_with(&format!("line 2: {told}")),
            "{line}: {shown}"
        );
        assert!(!shown.contains("hunter2"));
        // The others are let in.
        assert_eq!(users.count(), 2);
    }
    let (_, bad) = Users::parse(b"\xff:x\n");
    assert_eq!(bad[0].to_string(), "line 1: is not UTF-8");
}

#[test]
fn an_unknown_user_is_checked_against_a_hash_of_the_file() {
    let text = format!("joe:{SESAME}\nann:{SECRET}\n");
    let (users, _) = Users::parse(text.as_bytes());
    let all: std::collections::HashSet<_> = (0..9).map(|number| users.decoy(number)).collect();
    assert_eq!(all, [SESAME, SECRET].into());

    let (nobody, _) = Users::parse(b"");
    assert_eq!(cost_of(nobody.decoy(7)), Ok(10));
}
