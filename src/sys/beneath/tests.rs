use std::fs::Permissions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;
use crate::sys::testing::TempDir;

/// A root with a file and a link of each sort, beside a file that must stay out of reach.
fn tree() -> TempDir {
    let tree = TempDir::new();
    tree.write("secret", "secret");
    tree.write("site/file", "file");
    tree.write("site/folder/inner", "inner");
    tree.link("../secret", "site/out");
    tree.link(tree.path().join("secret"), "site/absolute");
    tree.link(tree.path().join("site/file"), "site/absolute-inside");
    tree.link("/proc/self/root", "site/magic");
    tree.link("..", "site/parent");
    tree.link("folder/inner", "site/inside");
    tree.link("../file", "site/folder/up-inside");
    tree.link("folder", "site/folder-link");
    tree.link("missing", "site/dangling");
    tree.link("loop", "site/loop");
    tree.fifo("site/fifo");
    drop(UnixListener::bind(tree.path().join("site/socket")).unwrap());
    tree
}

fn root(tree: &TempDir, way: Way) -> Root {
    let root = Root::open(&tree.path().join("site"), Links::Within).unwrap();
    Root { way, ..root }
}

fn read(root: &Root, rel: &str) -> Result<String, Errno> {
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap();
    let mut file = root.open_file(rel.as_bytes()).map_err(errno)?;
    match Stat::of(&file).unwrap().kind() {
        Kind::Folder => Ok("(folder)".into()),
        Kind::Other => Ok("(other)".into()),
        Kind::File { .. } => {
            let mut content = String::new();
            file.read_to_string(&mut content).map_err(errno)?;
            Ok(content)
        }
    }
}

#[test]
fn paths_stay_beneath_the_root() {
    type Opened = Result<&'static str, Errno>;
    const NOENT: Opened = Err(Errno::NOENT);
    const NOTDIR: Opened = Err(Errno::NOTDIR);
    const NXIO: Opened = Err(Errno::NXIO);
    const LOOP: Opened = Err(Errno::LOOP);
    const XDEV: Opened = Err(Errno::XDEV);
    // (path, by openat2, by steps, following links)
    let cases: &[(&str, Opened, Opened, Opened)] = &[
        ("file", Ok("file"), Ok("file"), Ok("file")),
        ("./file", Ok("file"), Ok("file"), Ok("file")),
        ("folder/inner", Ok("inner"), Ok("inner"), Ok("inner")),
        ("", Ok("(folder)"), Ok("(folder)"), Ok("(folder)")),
        ("folder", Ok("(folder)"), Ok("(folder)"), Ok("(folder)")),
        ("folder/", Ok("(folder)"), Ok("(folder)"), Ok("(folder)")),
        ("file/", NOTDIR, NOTDIR, NOTDIR),
        ("file/more", NOTDIR, NOTDIR, NOTDIR),
        ("missing", NOENT, NOENT, NOENT),
        ("fifo", Ok("(other)"), Ok("(other)"), Ok("(other)")),
        ("socket", NXIO, NXIO, NXIO),
        ("..", XDEV, XDEV, XDEV),
        ("../secret", XDEV, XDEV, XDEV),
        ("folder/../file", XDEV, XDEV, XDEV),
        ("/etc/passwd", XDEV, XDEV, XDEV),
        ("out", XDEV, LOOP, Ok("secret")),
        ("absolute", XDEV, LOOP, Ok("secret")),
        ("absolute-inside", XDEV, LOOP, Ok("file")),
        ("magic/dev/null", XDEV, LOOP, Ok("(other)")),
        ("parent/secret", XDEV, LOOP, Ok("secret")),
        ("parent/site/file", XDEV, LOOP, Ok("file")),
        ("inside", Ok("inner"), LOOP, Ok("inner")),
        ("folder/up-inside", Ok("file"), LOOP, Ok("file")),
        ("folder-link/inner", Ok("inner"), LOOP, Ok("inner")),
        ("folder-link/", Ok("(folder)"), LOOP, Ok("(folder)")),
        ("dangling", NOENT, LOOP, NOENT),
        ("loop", LOOP, LOOP, LOOP),
    ];
    let tree = tree();
    for &(path, confined, steps, open) in cases {
        for (way, expected) in [
            (Way::Confined, confined),
            (Way::Steps, steps),
            (Way::Open, open),
        ] {
            let opened = read(&root(&tree, way), path);
            assert_eq!(
                opened.as_deref().map_err(|e| *e),
                expected,
                "{path} by {way:?}"
            );
        }
    }
}

#[test]
fn the_kernel_confines_where_it_can_and_links_are_followed_when_asked() {
    let tree = tree();
    let path = tree.path().join("site");
    let way = Root::open(&path, Links::Within).unwrap().way;
    assert_ne!(way, Way::Open);
    assert_eq!(Root::open(&path, Links::Follow).unwrap().way, Way::Open);
    assert!(Root::open(&path.join("file"), Links::Within).is_err());
    assert!(Root::open(&path.join("missing"), Links::Within).is_err());
}

#[test]
fn kinds_need_no_read_permission() {
    let tree = tree();
    let path = tree.path().join("site/file");
    std::fs::set_permissions(&path, Permissions::from_mode(0o111)).unwrap();
    for way in [Way::Confined, Way::Steps, Way::Open] {
        let root = root(&tree, way);
        assert_eq!(
            root.kind(b"file").unwrap(),
            Kind::File { permissions: 0o111 },
            "{way:?}"
        );
        assert_eq!(root.kind(b"folder").unwrap(), Kind::Folder, "{way:?}");
        assert_eq!(root.kind(b"fifo").unwrap(), Kind::Other, "{way:?}");
        assert_eq!(root.kind(b"socket").unwrap(), Kind::Other, "{way:?}");
        assert_eq!(root.kind(b"out").is_ok(), way == Way::Open, "{way:?}");
    }
}

#[test]
fn a_version_changes_with_its_file() {
    let tree = tree();
    let root = root(&tree, Way::Confined);
    let opened = Stat::of(&root.open_file(b"file").unwrap()).unwrap();
    assert_eq!(root.stat(b"file").unwrap(), opened);
    tree.write("site/other", "file");
    std::fs::rename(
        tree.path().join("site/other"),
        tree.path().join("site/file"),
    )
    .unwrap();
    assert_ne!(root.stat(b"file").unwrap(), opened);
    std::fs::remove_file(tree.path().join("site/file")).unwrap();
    assert_eq!(root.stat(b"file").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_listing_leaves_out_what_cannot_be_reached() {
    let tree = tree();
    let names = |way, rel: &[u8], most| {
        let (entries, rest) = root(&tree, way)
            .entries(rel, most, |name| name != b"socket")
            .unwrap();
        let mut names: Vec<String> = entries
            .into_iter()
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .collect();
        names.sort();
        (names.join(" "), rest)
    };
    let all = |names: &str| (names.to_string(), Rest::None);
    assert_eq!(
        names(Way::Confined, b"", 99),
        all("fifo file folder folder-link inside")
    );
    assert_eq!(names(Way::Steps, b"", 99), all("fifo file folder"));
    assert_eq!(names(Way::Confined, b"folder/", 99), all("inner up-inside"));
    assert_eq!(names(Way::Confined, b"folder", 2), all("inner up-inside"));
    assert_eq!(names(Way::Steps, b"", 2).1, Rest::More);
    assert!(
        root(&tree, Way::Confined)
            .entries(b"file", 9, |_| true)
            .is_err()
    );
    assert!(
        root(&tree, Way::Confined)
            .entries(b"parent", 9, |_| true)
            .is_err()
    );
}

#[test]
fn a_link_swapped_for_a_folder_never_leads_out() {
    let tree = tree();
    let root = root(&tree, Way::Confined);
    let [here, there] = ["site/swap", "site/swapped"].map(|rel| tree.path().join(rel));
    tree.write("site/swap/secret", "harmless");
    tree.link("..", "site/swapped");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2_000 {
                let flags = sys::RenameFlags::EXCHANGE;
                sys::renameat_with(sys::CWD, &here, sys::CWD, &there, flags).unwrap();
            }
        });
        for _ in 0..2_000 {
            if let Ok(content) = read(&root, "swap/secret") {
                assert_eq!(content, "harmless");
            }
        }
    });
}

fn is_renewed(root: &Root) -> bool {
    matches!(root.renew(false), Renewal::Taken)
}

#[test]
fn a_folder_that_came_to_the_path_is_taken_but_never_by_a_link() {
    let tree = tree();
    let root = root(&tree, Way::Confined);
    let site = tree.path().join("site");
    let away = tree.path().join("away");
    assert!(!is_renewed(&root), "it is the same");
    fs::rename(&site, &away).unwrap();
    assert!(!is_renewed(&root), "nothing is there");
    assert_eq!(read(&root, "file"), Ok("file".to_owned()));
    tree.link("away", "site");
    tree.write("other/file", "other");
    assert!(!is_renewed(&root), "a link is there");
    fs::remove_file(&site).unwrap();
    fs::rename(tree.path().join("other"), &site).unwrap();
    assert!(is_renewed(&root));
    assert_eq!(read(&root, "file"), Ok("other".to_owned()));
    assert!(!is_renewed(&root), "it was taken");
}

/// Without openat2 as well.
#[test]
fn a_folder_that_came_to_the_path_is_found_in_each_way() {
    for way in [Way::Confined, Way::Steps, Way::Open] {
        let tree = TempDir::new();
        tree.write("above/site/file", "file");
        let path = tree.path().join("above/site");
        let root = Root::open(&path, Links::Within).unwrap();
        let root = Root { way, ..root };
        let is_found = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            root.open_anew(flags).is_ok()
        };
        assert!(is_found(), "{way:?}");
        let away = tree.path().join("away");
        fs::rename(tree.path().join("above"), &away).unwrap();
        assert!(!is_found(), "{way:?}: nothing is there");
        tree.link("away", "above");
        assert!(!is_found(), "{way:?}: a link is on the way");
        fs::remove_file(tree.path().join("above")).unwrap();
        fs::create_dir(tree.path().join("above")).unwrap();
        tree.link("../away/site", "above/site");
        assert!(!is_found(), "{way:?}: a link is there");
        fs::remove_file(&path).unwrap();
        tree.write("above/site", "");
        assert!(!is_found(), "{way:?}: a file is there");
        fs::remove_file(&path).unwrap();
        tree.write("above/site/file", "other");
        root.renew(false);
        assert_eq!(read(&root, "file"), Ok("other".to_owned()), "{way:?}");
    }
}

#[test]
fn a_root_that_is_read_from_is_not_waited_for() {
    let tree = tree();
    let root = root(&tree, Way::Confined);
    let site = tree.path().join("site");
    fs::rename(&site, tree.path().join("away")).unwrap();
    tree.write("site/file", "other");
    let reading = root.folder();
    assert!(!is_renewed(&root));
    drop(reading);
    assert!(is_renewed(&root));
}

/// The thread alone is in the sandbox, and folders are exchanged outside of it.
#[cfg(feature = "sandbox")]
#[test]
fn in_a_sandbox_a_folder_that_is_not_permitted_is_told_of_once_and_not_taken() {
    use crate::sys::sandbox::{Access, Signals, enter};
    let tree = tree();
    let root = root(&tree, Way::Confined);
    let site = tree.path().join("site");
    tree.write("other/file", "other");
    let rules = [(Access::Read, site.clone())];
    let (ask, asked) = std::sync::mpsc::channel();
    let (answer, answered) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (root, rules) = (&root, &rules);
        scope.spawn(move || {
            answer
                .send(enter(rules, Signals::Inside).unwrap() > 0)
                .unwrap();
            for () in asked {
                let renewal = root.renew(true);
                answer.send(matches!(renewal, Renewal::Refused(_))).unwrap();
            }
        });
        if !answered.recv().unwrap() {
            drop(ask);
            return eprintln!("skipped: the kernel has no Landlock");
        }
        fs::rename(&site, tree.path().join("away")).unwrap();
        fs::rename(tree.path().join("other"), &site).unwrap();
        for is_told in [true, false] {
            ask.send(()).unwrap();
            assert_eq!(answered.recv().unwrap(), is_told);
        }
        drop(ask);
        assert_eq!(read(root, "file"), Ok("file".to_owned()));
    });
}
