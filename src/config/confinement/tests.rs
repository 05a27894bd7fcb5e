use crate::config::tests::{parse_words, settings_of};

use super::*;

fn limits_of(words: &[&str]) -> Limits {
    settings_of(words).confinement.limits
}

#[test]
fn nothing_is_asked_for_by_default() {
    assert_eq!(settings_of(&[]).confinement, Confinement::default());
}

#[test]
fn limits_add_up() {
    let all = "cpu=10,memory=256M, files=64,processes=20,file-size=0";
    let expected = Limits {
        cpu: Some(10),
        memory: Some(256 << 20),
        files: Some(64),
        processes: Some(20),
        file_size: Some(0),
    };
    assert_eq!(limits_of(&["--limit", all]), expected);
    let parts: Vec<&str> = all.split(',').flat_map(|it| ["--limit", it]).collect();
    assert_eq!(limits_of(&parts), expected);
}

#[test]
fn a_user_has_a_group_or_its_own() {
    for (text, name, group) in [
        ("www", "www", None),
        ("33:34", "33", Some("34")),
        (
            "DOMAIN\\ann:domain.users",
            "DOMAIN\\ann",
            Some("domain.users"),
        ),
    ] {
        let expected = User {
            name: name.to_owned(),
            group: group.map(str::to_owned),
        };
        let user = settings_of(&["--user", text]).confinement.user;
        assert_eq!(user.as_ref(), Some(&expected));
        assert_eq!(user.map(|user| user.to_string()).as_deref(), Some(text));
    }
}

#[test]
fn what_is_wrong_is_told() {
    let user = "is no user; write NAME or NAME:GROUP, for example www-data, or numbers";
    let form = "write cpu=SECS, memory=SIZE, files=N, processes=N or file-size=SIZE";
    for (words, error) in [
        (&["--user", ""][..], format!("--user: '' {user}")),
        (&["--user", "a:"], format!("--user: 'a:' {user}")),
        (&["--user", ":a"], format!("--user: ':a' {user}")),
        (&["--user", "a:b:c"], format!("--user: 'a:b:c' {user}")),
        (&["--user", "a b"], format!("--user: 'a b' {user}")),
        (&["--user", "-1"], format!("--user: '-1' {user}")),
        (
            &["--limit", "cpu"],
            format!("--limit: 'cpu' has no '=' in 'cpu'; {form}"),
        ),
        (
            &["--limit", "cpu=1,"],
            format!("--limit: 'cpu=1,' has no '=' in ''; {form}"),
        ),
        (
            &["--limit", "core=1"],
            format!("--limit: 'core=1' has no limit called 'core'; {form}"),
        ),
        (
            &["--limit", "cpu=0"],
            "--limit: 'cpu=0' has a 'cpu' that is not a whole number from 1 to 604800".to_owned(),
        ),
        (
            &["--limit", "files=15"],
            "--limit: 'files=15' has a 'files' that is not a whole number from 16 to 1048576"
                .to_owned(),
        ),
        (
            &["--limit", "memory=1M"],
            "--limit: 'memory=1M' has a 'memory' that is not a size from 16M to 1024G; write bytes, \
             or a number with K, M or G"
                .to_owned(),
        ),
        (
            &["--limit", "cpu=1,cpu=2"],
            "--limit: 'cpu=1,cpu=2' gives cpu a second value; give each limit once".to_owned(),
        ),
        (
            &["--nice", "20"],
            "--nice: '20' is not a whole number from 0 to 19".to_owned(),
        ),
        (
            &["--chroot", "/srv"],
            "--chroot: holds nobody who stays root; give --user too".to_owned(),
        ),
        (
            &["--chroot", "--sandbox"],
            "--chroot: '--sandbox' looks like an option; write ./--sandbox for a folder of that name"
                .to_owned(),
        ),
        (
            &["--sandbox", "--allow-setuid"],
            "--allow-setuid: is what --sandbox rules out; leave out one of the two".to_owned(),
        ),
        (
            &["--allow-write", "/tmp"],
            "--allow-write: counts in a sandbox alone; give --sandbox too".to_owned(),
        ),
        (
            &["--sandbox", "--allow-read", "/a", "--allow-read", "/a"],
            "--allow-read: '/a' is given twice; give each path once".to_owned(),
        ),
    ] {
        assert_eq!(parse_words(words).unwrap_err().to_string(), error);
    }
}
