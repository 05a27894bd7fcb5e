use super::*;

#[test]
fn keys() {
    let prefix = |text: &str| Some(RouteKey::Prefix(text.to_owned()));
    let extension = |text: &str| Some(RouteKey::Extension(text.to_owned()));
    let cases = [
        ("/", prefix("/")),
        ("/a", prefix("/a/")),
        ("/a/", prefix("/a/")),
        ("/a/b.c/", prefix("/a/b.c/")),
        ("/.well-known", prefix("/.well-known/")),
        ("/a b/é", prefix("/a b/é/")),
        ("/a..b", prefix("/a..b/")),
        (".php", extension(".php")),
        (".PHP", extension(".PHP")),
        (".x_y-9", extension(".x_y-9")),
        ("", None),
        ("a", None),
        ("a/", None),
        ("php", None),
        ("//", None),
        ("/a//b", None),
        ("/.", None),
        ("/a/./b", None),
        ("/..", None),
        ("/../a/", None),
        ("/a/..", None),
        ("/a?b", None),
        ("/a#b", None),
        ("/a%20b", None),
        ("/a%", None),
        ("/a\0", None),
        ("/a\n", None),
        (".", None),
        ("..", None),
        ("./a", None),
        ("../a", None),
        (".a/b", None),
        (".a.b", None),
        (".a b", None),
        (".é", None),
    ];
    for (text, key) in cases {
        assert_eq!(RouteKey::parse(text), key, "{text:?}");
    }
}

fn prefixes(list: &[&'static str]) -> Routes<&'static str> {
    let mut routes = Routes::new();
    for prefix in list {
        assert_eq!(routes.insert_prefix(prefix, *prefix), None);
    }
    routes
}

#[test]
fn longest_prefix_on_a_segment_border() {
    let cases: &[(&str, Option<(&str, &str)>)] = &[
        ("/", Some(("/", ""))),
        ("/a", Some(("/", "a"))),
        ("/index.html", Some(("/", "index.html"))),
        ("/git", Some(("/git/", ""))),
        ("/git/", Some(("/git/", ""))),
        ("/git/a", Some(("/git/", "a"))),
        ("/git/a/", Some(("/git/", "a/"))),
        ("/github", Some(("/", "github"))),
        ("/GIT/a", Some(("/", "GIT/a"))),
        ("/a/git/b", Some(("/", "a/git/b"))),
        ("/git/deep", Some(("/git/deep/", ""))),
        ("/git/deep/x/y", Some(("/git/deep/", "x/y"))),
        ("/git/deeper", Some(("/git/", "deeper"))),
        ("/git/x/../deep/y", Some(("/git/deep/", "y"))),
    ];
    // The order of insertion has no say.
    let lists = [
        ["/", "/git/", "/cgi-bin/", "/git/deep/"],
        ["/git/deep/", "/cgi-bin/", "/git/", "/"],
    ];
    for list in lists {
        let routes = prefixes(&list);
        for &(raw, expected) in cases {
            let path = UrlPath::decode(raw.as_bytes()).unwrap();
            let found = routes.resolve_prefix(&path);
            let expected = expected.map(|(prefix, rest)| (prefix, rest.as_bytes(), prefix));
            assert_eq!(
                found.map(|found| (found.prefix, found.rest, *found.target)),
                expected,
                "{raw}"
            );
        }
    }
}

#[test]
fn no_prefix_matches() {
    for (list, raw) in [
        (&[][..], "/"),
        (&["/git/"], "/"),
        (&["/git/"], "/gi"),
        (&["/git/"], "/gitt"),
    ] {
        let path = UrlPath::decode(raw.as_bytes()).unwrap();
        assert!(
            prefixes(list).resolve_prefix(&path).is_none(),
            "{list:?} {raw}"
        );
    }
}

#[test]
fn a_second_route_replaces_the_first() {
    let mut routes = Routes::default();
    assert_eq!(routes.insert_prefix("/a/", 1), None);
    assert_eq!(routes.insert_prefix("/A/", 2), None);
    assert_eq!(routes.insert_prefix("/a/", 3), Some(1));
    assert_eq!(routes.insert_extension(".a", 4), None);
    assert_eq!(routes.insert_extension(".A", 5), Some(4));

    let path = UrlPath::decode(b"/a/b").unwrap();
    assert_eq!(
        routes.resolve_prefix(&path).map(|found| *found.target),
        Some(3)
    );
    assert_eq!(routes.extension_of(b"b.a"), Some(&5));
}

#[test]
fn extensions() {
    let mut routes = Routes::new();
    assert!(!routes.has_extension_routes());
    routes.insert_prefix("/", "files");
    assert!(!routes.has_extension_routes());
    routes.insert_extension(".php", "php");
    routes.insert_extension(".Cgi", "cgi");
    assert!(routes.has_extension_routes());

    let cases: &[(&str, Option<&str>)] = &[
        ("a.php", Some("php")),
        ("A.PHP", Some("php")),
        ("a.pHp", Some("php")),
        ("a.cgi", Some("cgi")),
        ("a.txt.php", Some("php")),
        ("folder.d/a.php", Some("php")),
        (".a.php", Some("php")),
        ("..php", Some("php")),
        ("a.php.txt", None),
        ("a.php.", None),
        ("a.php~", None),
        ("a.php ", None),
        ("a.phps", None),
        ("a.ph", None),
        ("aphp", None),
        ("a.ſphp", None),
        ("a.php/b", None),
        ("a.php/", None),
        (".php", None),
        ("a/.php", None),
        ("php", None),
        (".", None),
        ("", None),
    ];
    for &(name, target) in cases {
        assert_eq!(
            routes.extension_of(name.as_bytes()).copied(),
            target,
            "{name:?}"
        );
    }
}

#[test]
fn splits() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("", &[]),
        ("a", &[("a", "")]),
        ("a/", &[("a", "/")]),
        ("a/b", &[("a", "/b"), ("a/b", "")]),
        ("a/b/", &[("a", "/b/"), ("a/b", "/")]),
        ("a/b/c", &[("a", "/b/c"), ("a/b", "/c"), ("a/b/c", "")]),
        (
            "é.php/İ/x",
            &[("é.php", "/İ/x"), ("é.php/İ", "/x"), ("é.php/İ/x", "")],
        ),
    ];
    for &(rest, expected) in cases {
        let splits: Vec<_> = script_splits(rest.as_bytes()).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b)| (a.as_bytes(), b.as_bytes()))
            .collect();
        assert_eq!(splits, expected, "{rest}");
    }
}

#[test]
fn all_prefixes_above_a_path() {
    let mut routes = Routes::new();
    routes.insert_prefix("/a/b/", 2);
    routes.insert_prefix("/", 0);
    routes.insert_prefix("/a/", 1);
    let cases: &[(&str, &[i32])] = &[
        ("/", &[0]),
        ("/x", &[0]),
        ("/ab", &[0]),
        ("/a", &[0, 1]),
        ("/a/", &[0, 1]),
        ("/a/x/b", &[0, 1]),
        ("/a/b", &[0, 1, 2]),
        ("/a/b/c", &[0, 1, 2]),
        // One file may have all of these names.
        ("/A/B/c", &[0, 1, 2]),
        ("/a./b%20/c", &[0, 1, 2]),
        ("/a/.b", &[0, 1]),
        ("/.../a", &[0]),
    ];
    for (path, expected) in cases {
        let decoded = UrlPath::decode(path.as_bytes()).unwrap();
        let found: Vec<i32> = routes.all_above(&decoded).copied().collect();
        assert_eq!(found, *expected, "{path}");
    }
}
