use super::*;
use crate::sys::testing::TempDir;

// "open sesame" and "secret".
const SESAME: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";
const SECRET: &str = "$2b$04$....................../dCAsp4PpJoDgv6BeaLP6BKrXlBV1oi";

fn route(prefix: &str, file: PathBuf) -> AuthRoute {
    let prefix = prefix.to_owned();
    AuthRoute { prefix, file }
}

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn claim(user: &str, password: &str) -> Credentials {
    Credentials {
        user: user.into(),
        password: password.into(),
    }
}

fn prefixes(doors: &Doors, path: &str) -> Vec<String> {
    let path = UrlPath::decode(path.as_bytes()).unwrap();
    let doors = doors.at(&path).into_iter();
    doors.map(|door| door.prefix.clone()).collect()
}

/// What comes of credentials, and whether a password had to be hashed for it.
fn ask(door: &Door, user: &str, password: &str) -> (bool, bool) {
    let credentials = claim(user, password);
    match door.look(&credentials).unwrap() {
        Look::Known => (true, false),
        Look::Unsure(check) => (door.is_right(&credentials, &check), true),
    }
}

#[test]
fn the_longest_prefix_decides_and_every_spelling_of_a_longer_one_beside_it() {
    let folder = TempDir::new();
    let users = file(&folder, "users", "");
    let routes = ["/", "/admin/", "/admin/open/", "/Other/"];
    let routes: Vec<_> = routes.map(|prefix| route(prefix, users.clone())).into();
    let doors = Doors::open(&routes).unwrap();
    for (path, expected) in [
        ("/", &["/"][..]),
        ("/x/admin/", &["/"]),
        ("/admin", &["/admin/"]),
        ("/admin/x", &["/admin/"]),
        ("/x/../%61dmin//x", &["/admin/"]),
        ("/admin/open/x", &["/admin/open/"]),
        ("/adminx", &["/"]),
        // Another file system's names.
        ("/Admin/x", &["/", "/admin/"]),
        ("/admin./x", &["/", "/admin/"]),
        ("/admin/OPEN/x", &["/admin/", "/admin/open/"]),
        ("/other", &["/", "/Other/"]),
    ] {
        assert_eq!(prefixes(&doors, path), expected, "{path}");
    }
    let doors = Doors::open(&routes[1..2]).unwrap();
    assert!(prefixes(&doors, "/").is_empty());
    assert_eq!(prefixes(&doors, "/ADMIN%20"), ["/admin/"]);
}

#[test]
fn who_is_right_is_remembered_and_who_is_wrong_is_not() {
    let folder = TempDir::new();
    let users = file(&folder, "users", &format!("joe:{SESAME}\nann:{SECRET}\n"));
    let doors = Doors::open(&[route("/", users)]).unwrap();
    let door = &doors.doors[0];
    for _ in 0..2 {
        assert_eq!(ask(door, "joe", "open sesam"), (false, true));
        assert_eq!(ask(door, "nobody", "open sesame"), (false, true));
        assert_eq!(ask(door, "nobody", "secret"), (false, true));
    }
    assert_eq!(ask(door, "joe", "open sesame"), (true, true));
    assert_eq!(ask(door, "joe", "open sesame"), (true, false));
    assert_eq!(ask(door, "ann", "open sesame"), (false, true));
    assert_eq!(ask(door, "joe", "open sesam"), (false, true));
}

#[test]
fn a_changed_file_counts_at_once() {
    let folder = TempDir::new();
    let users = file(&folder, "users", &format!("joe:{SESAME}\n"));
    let doors = Doors::open(&[route("/", users.clone())]).unwrap();
    let door = &doors.doors[0];
    assert_eq!(ask(door, "joe", "open sesame"), (true, true));
    // Of the same length, and perhaps within the same tick of the file system's clock.
    fs::write(&users, format!("joe:{SECRET}\n")).unwrap();
    assert_eq!(ask(door, "joe", "open sesame"), (false, true));
    assert_eq!(ask(door, "joe", "secret"), (true, true));
    // A bad line keeps out its user alone.
    fs::write(&users, format!("joe:plain\nann:{SESAME}\n")).unwrap();
    assert_eq!(ask(door, "joe", "plain"), (false, true));
    assert_eq!(ask(door, "ann", "open sesame"), (true, true));
    fs::remove_file(&users).unwrap();
    let gone = door.look(&claim("ann", "open sesame"));
    assert_eq!(gone, Err(Reason::AuthFile));
    fs::write(&users, format!("ann:{SESAME}\n")).unwrap();
    assert_eq!(ask(door, "ann", "open sesame"), (true, false));
}

#[test]
fn a_settled_file_is_not_read_again() {
    let folder = TempDir::new();
    let users = file(&folder, "users", &format!("joe:{SESAME}\n"));
    let meta = fs::metadata(&users).unwrap();
    assert!(!Stamp::of(&meta).is_settled);
    // A file that was changed years ago in this folder cannot be made: its stamp can.
    let old = UserFile::open(&users).unwrap();
    let before = Arc::clone(&old.reading.read().unwrap());
    let again = old.users().unwrap();
    assert!(!Arc::ptr_eq(before.users.as_ref().unwrap(), &again));
    let hosts = Path::new("/etc/hostname");
    if fs::metadata(hosts).is_ok_and(|meta| Stamp::of(&meta).is_settled) {
        let (stamp, _) = read(hosts).unwrap();
        let settled = UserFile {
            path: hosts.to_owned(),
            canonical: hosts.to_owned(),
            reading: RwLock::new(Arc::new(Reading {
                users: Some(Arc::clone(&again)),
                stamp: Some(stamp),
            })),
        };
        assert!(Arc::ptr_eq(&settled.users().unwrap(), &again));
    }
}

#[test]
fn one_file_is_one_realm() {
    let folder = TempDir::new();
    let one = file(&folder, "one", "");
    let two = file(&folder, "two", "");
    let routes = [
        route("/a/", one.clone()),
        route("/b/", one),
        route("/c/", two),
    ];
    let doors = Doors::open(&routes).unwrap();
    let challenge = |at: usize| doors.doors[at].challenge();
    assert_eq!(&**challenge(0), "Basic realm=\"/a/\", charset=\"UTF-8\"");
    assert_eq!(challenge(1), challenge(0));
    assert_eq!(&**challenge(2), "Basic realm=\"/c/\", charset=\"UTF-8\"");
}

#[test]
fn a_file_that_cannot_be_used_is_told_of_at_the_start() {
    let folder = TempDir::new();
    let open = |file: PathBuf| Doors::open(&[route("/", file)]).unwrap_err().to_string();
    let missing = open(folder.path().join("missing"));
    assert!(
        missing.contains("cannot be read (No such file"),
        "{missing}"
    );
    assert!(open(folder.path().to_owned()).contains("it is no regular file"));
    let old = open(file(
        &folder,
        "old",
        &format!("ann:{SESAME}\njoe:$apr1$x$y\n"),
    ));
    assert!(
        old.ends_with("make a new entry with: tollgate passwd FILE USER"),
        "{old}"
    );
    assert!(old.contains("line 2: user 'joe': MD5"), "{old}");
    let long = file(&folder, "long", &"#\n".repeat(3 << 20));
    assert!(open(long).contains("it is longer than 4 MiB"));
}

#[test]
fn what_is_remembered_is_bounded() {
    let memory = Memory::default();
    for number in 0..3 * REMEMBERED_MAX {
        memory.add(memory.trace(&claim("joe", &number.to_string()), SESAME));
    }
    assert!(memory.known.lock().unwrap().len() <= REMEMBERED_MAX);
    // Where the user ends and the password begins matters.
    let trace = |user: &str, password: &str| memory.trace(&claim(user, password), SESAME);
    assert_ne!(trace("ab", "c"), trace("a", "bc"));
}

#[test]
fn what_was_remembered_long_ago_is_forgotten() {
    let memory = Memory::default();
    let trace = memory.trace(&claim("joe", "open sesame"), SESAME);
    memory.add(trace);
    assert!(memory.has(trace));
    let long_ago = Instant::now().checked_sub(REMEMBERED_FOR).unwrap();
    memory.known.lock().unwrap().insert(trace, long_ago);
    assert!(!memory.has(trace));
}
