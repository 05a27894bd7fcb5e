use std::fs;

use super::*;
use crate::handler::Body;
use crate::handler::mime::MediaType;
use crate::handler::representation::Opened;
use crate::sys::beneath::{Links, Time};
use crate::sys::testing::TempDir;

const NOW: u64 = 1_000_000;

struct Fixture {
    dir: TempDir,
    root: Root,
    cache: Cache,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = TempDir::new();
        let root = Root::open(dir.path(), Links::Within).unwrap();
        Fixture {
            dir,
            root,
            cache: Cache::new(),
        }
    }

    fn insert(&self, key: &Key<'_>, content: impl AsRef<[u8]>) {
        self.dir.write(str::from_utf8(key.path).unwrap(), content);
        self.keep(key);
    }

    fn keep(&self, key: &Key<'_>) {
        let file = self.root.open_file(key.path).unwrap();
        let stat = Stat::of(&file).unwrap();
        let opened = Opened {
            file,
            stat,
            path: key.path.to_vec(),
        };
        let mut file = Representation::new(opened, MediaType::of(key.path), key.coding, &[], NOW);
        file.read().unwrap();
        self.cache.insert(key, Arc::new(file), NOW);
    }

    fn lookup(&self, key: &Key<'_>, now: u64) -> Option<Vec<u8>> {
        match self.cache.lookup(&self.root, key, now)?.body() {
            Body::Shared(content) => Some(content.to_vec()),
            body => panic!("not in memory: {body:?}"),
        }
    }

    /// The weights of all files that are held.
    fn held(&self) -> Vec<usize> {
        let files = self.cache.files.read().unwrap();
        let generations = [&files.young, &files.old];
        let held = generations.map(|generation| {
            let held = generation.files.values().map(|held| held.weight());
            let held: Vec<usize> = held.collect();
            assert_eq!(generation.bytes, held.iter().sum::<usize>());
            held
        });
        held.concat()
    }
}

fn key(path: &str) -> Key<'_> {
    Key {
        route: 0,
        path: path.as_bytes(),
        coding: None,
    }
}

#[test]
fn a_file_is_found_by_all_parts_of_its_key() {
    let all = Fixture::new();
    all.insert(&key("a"), "content");
    assert_eq!(all.lookup(&key("a"), NOW).unwrap(), b"content");
    assert!(all.lookup(&key("b"), NOW).is_none());
    assert!(
        all.lookup(
            &Key {
                route: 1,
                ..key("a")
            },
            NOW
        )
        .is_none()
    );
    assert!(
        all.lookup(
            &Key {
                coding: Some(Coding::Gzip),
                ..key("a")
            },
            NOW
        )
        .is_none()
    );
    assert!(
        all.lookup(&key("a"), NOW).is_some(),
        "another key's miss costs nothing"
    );
}

#[test]
fn a_hit_is_checked_against_the_file() {
    let all = Fixture::new();
    all.insert(&key("a"), "content");
    all.dir.write("a", "other content");
    assert!(all.lookup(&key("a"), NOW).is_none());
    assert!(all.held().is_empty(), "what is no longer true is let go");

    all.insert(&key("a"), "content");
    fs::remove_file(all.dir.path().join("a")).unwrap();
    assert!(all.lookup(&key("a"), NOW).is_none());
}

#[test]
fn a_file_is_opened_again_after_a_while() {
    let all = Fixture::new();
    for (now, is_found) in [
        (NOW + KEPT, true),
        (NOW + KEPT + 1, false),
        // The clock was set back: what was read at a time to come has a date to come.
        (NOW - 1, false),
        (NOW - KEPT - 1, false),
    ] {
        all.insert(&key("a"), "content");
        assert_eq!(all.lookup(&key("a"), now).is_some(), is_found, "at {now}");
    }
}

#[test]
fn only_files_that_have_settled_are_admitted() {
    let all = Fixture::new();
    all.dir.write("a", "");
    let stat = all.root.stat(b"a").unwrap();
    let now = NOW.cast_signed();
    let cases = [
        (0, now - 2, now - 2, true),
        (0, now - 1, now - 2, false),
        (0, now - 2, now - 1, false),
        (0, now - 2, now + 9, false),
        (0, i64::MIN, i64::MIN, true),
        (0, i64::MAX, i64::MIN, false),
        (LONGEST + 1, 0, 0, true),
    ];
    for (size, modified, changed, is_admitted) in cases {
        let at = |seconds| Time {
            seconds,
            nanos: 999_999_999,
        };
        let stat = Stat {
            size,
            modified: at(modified),
            changed: at(changed),
            ..stat
        };
        assert_eq!(Cache::admits(&stat, NOW), is_admitted, "{stat:?}");
    }
}

#[test]
fn the_same_key_is_held_once() {
    let all = Fixture::new();
    for content in ["one", "two", "three"] {
        all.insert(&key("a"), content);
    }
    assert_eq!(all.lookup(&key("a"), NOW).unwrap(), b"three");
    assert_eq!(all.held().len(), 1);
}

#[test]
fn bytes_are_bounded_and_counted() {
    let all = Fixture::new();
    let content = vec![0; 64 * 1024];
    for name in 0..200 {
        all.insert(&key(&format!("{name}")), &content);
        assert!(all.held().iter().sum::<usize>() <= CAPACITY);
        assert!(all.lookup(&key(&format!("{name}")), NOW).is_some());
    }
    let held = all.held().len();
    assert!((62..=126).contains(&held), "room is used: {held}");
    for name in 200 - held..200 {
        let found = all.lookup(&key(&format!("{name}")), NOW);
        assert!(found.is_some(), "the last ones stay: {name}");
    }
}

#[test]
fn many_small_files_are_held() {
    let all = Fixture::new();
    let names: Vec<String> = (0..10_000).map(|name| format!("{name}.txt")).collect();
    all.dir.write("a", "content");
    for name in &names {
        fs::hard_link(all.dir.path().join("a"), all.dir.path().join(name)).unwrap();
    }
    all.dir.write("a", "hello, world");
    for name in &names {
        all.keep(&key(name));
    }
    let is_held = |name: &&String| all.lookup(&key(name), NOW).is_some();
    assert_eq!(names.iter().filter(is_held).count(), names.len());
}

#[test]
fn threads_share_it() {
    let all = Fixture::new();
    for name in 0..7 {
        all.dir.write(format!("{name}"), "content");
    }
    std::thread::scope(|scope| {
        for route in [0, 0, 1, 1] {
            let all = &all;
            scope.spawn(move || {
                for round in 0..200 {
                    let name = format!("{}", round % 7);
                    let key = Key {
                        route,
                        ..key(&name)
                    };
                    if round % 5 == 0 || all.lookup(&key, NOW).is_none() {
                        all.keep(&key);
                    }
                }
            });
        }
    });
    assert!(all.held().len() <= 14);
}

/// Keeps a file open, as if it were long.
fn keep_open(all: &Fixture, name: &str) {
    all.dir.write(name, "content");
    let file = all.root.open_file(name.as_bytes()).unwrap();
    let stat = Stat::of(&file).unwrap();
    let opened = Opened {
        file,
        stat,
        path: name.into(),
    };
    let file = Representation::new(opened, MediaType::of(name.as_bytes()), None, &[], NOW);
    all.cache.insert(&key(name), Arc::new(file), NOW);
}

#[test]
fn a_long_file_is_kept_open_until_it_would_be_opened_again() {
    let all = Fixture::new();
    keep_open(&all, "a");
    all.insert(&key("small"), "in memory");
    let is_kept = |now| all.cache.lookup(&all.root, &key("a"), now).is_some();
    all.cache.close_idle(NOW + KEPT);
    assert!(is_kept(NOW + KEPT));
    all.cache.close_idle(NOW + KEPT + 1);
    assert!(!is_kept(NOW), "it was closed");
    assert!(all.lookup(&key("small"), NOW).is_some());
    keep_open(&all, "a");
    all.dir.write("a", "other content");
    assert!(!is_kept(NOW), "it is another");
}

#[test]
fn no_more_are_open_than_may_be() {
    let all = Fixture::new();
    for number in 0..=OPEN_MAX {
        keep_open(&all, &number.to_string());
    }
    assert_eq!(all.held().len(), OPEN_MAX);
    // Room is made by closing, and used again.
    all.cache.close_idle(NOW + KEPT + 1);
    assert!(all.held().is_empty());
    keep_open(&all, "a");
    assert_eq!(all.held().len(), 1);
}
