use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::sys::testing::{TempDir, pattern};

const EACH: usize = MEMORY_EACH as usize;

fn room(max_disk: u64) -> (TempDir, Arc<Room>) {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), max_disk));
    (folder, room)
}

/// What a room's spools have claimed, in memory and on disk.
fn claimed(room: &Room) -> (u64, u64) {
    let used = |budget: &Budget| budget.used.load(Ordering::Relaxed);
    (used(&room.memory), used(&room.disk))
}

fn read(spool: &Spool) -> Vec<u8> {
    match spool.content() {
        Content::Memory(bytes) => bytes.to_vec(),
        Content::File(mut file) => {
            use std::io::Seek;
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        }
    }
}

fn is_in_memory(spool: &Spool) -> bool {
    matches!(spool.content(), Content::Memory(_))
}

#[test]
fn a_body_is_in_memory_while_it_fits_a_pipe() {
    // (pieces, in memory)
    let cases: [(&[usize], bool); 8] = [
        (&[], true),
        (&[0], true),
        (&[1], true),
        (&[EACH], true),
        (&[EACH - 1, 1], true),
        (&[EACH + 1], false),
        (&[EACH, 1], false),
        (&[EACH, 1, 3 * EACH, 0, 7], false),
    ];
    let (_folder, room) = room(1 << 20);
    for (pieces, in_memory) in cases {
        let content = pattern(pieces.iter().sum());
        let mut spool = Spool::new(&room);
        let mut rest = &content[..];
        for piece in pieces {
            spool.append(&rest[..*piece]).unwrap();
            rest = &rest[*piece..];
        }
        let len = content.len() as u64;
        assert_eq!(is_in_memory(&spool), in_memory, "{pieces:?}");
        assert_eq!((spool.len(), spool.is_empty()), (len, len == 0));
        assert!(read(&spool) == content, "{pieces:?}");
        let expected = if in_memory { (len, 0) } else { (0, len) };
        assert_eq!(claimed(&room), expected, "{pieces:?}");
        drop(spool);
        assert_eq!(claimed(&room), (0, 0), "{pieces:?}");
    }
}

#[test]
fn a_file_has_no_name() {
    let (folder, room) = room(1 << 20);
    for open in [open_unnamed, open_unlinked] {
        let file = open(&room.folder).unwrap();
        file.write_all_at(b"content", 0).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!((metadata.nlink(), metadata.len()), (0, 7));
        assert_eq!(metadata.mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_taken_name_is_passed_over() {
    let (folder, room) = room(1 << 20);
    // Whatever number is next, here and in other tests at the same time.
    for serial in 0..50 {
        let name = format!(".tollgate-{}-{serial}", std::process::id());
        folder.write(name, "another's");
    }
    let file = open_unlinked(&room.folder).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    for entry in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(fs::read(entry.unwrap().path()).unwrap(), b"another's");
    }
}

#[test]
fn the_room_on_disk_is_shared_and_given_back() {
    let (_folder, room) = room(200 << 10);
    let mut first = Spool::new(&room);
    first.append(&pattern(150 << 10)).unwrap();
    let mut second = Spool::new(&room);
    second.append(&pattern(EACH)).unwrap();
    for _ in 0..2 {
        let error = second.append(b"one more").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(read(&second) == pattern(EACH));
        assert_eq!(claimed(&room), (MEMORY_EACH, 150 << 10));
    }
    let error = first.append(&pattern(51 << 10)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    first.append(&pattern(50 << 10)).unwrap();
    assert_eq!(first.len(), 200 << 10);
    drop(first);
    second.append(b"one more").unwrap();
    assert!(read(&second) == [&pattern(EACH)[..], b"one more"].concat());
    drop(second);
    assert_eq!(claimed(&room), (0, 0));
}

#[test]
fn the_memory_of_all_bodies_is_bounded() {
    let (_folder, room) = room(1 << 20);
    let spool = || {
        let mut spool = Spool::new(&room);
        spool.append(&pattern(EACH)).unwrap();
        spool
    };
    let mut spools: Vec<Spool> = (0..MEMORY_ALL / MEMORY_EACH).map(|_| spool()).collect();
    assert!(spools.iter().all(is_in_memory));
    let late = spool();
    assert!(!is_in_memory(&late) && read(&late) == pattern(EACH));
    spools.pop();
    assert!(is_in_memory(&spool()));
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let (_folder, room) = room(1 << 20);
    let mut spooled = SpoolFile::create(&room).unwrap();
    spooled.append(b"before").unwrap();
    let kept = std::mem::replace(
        &mut spooled.file,
        Arc::new(File::options().write(true).open("/dev/full").unwrap()),
    );
    let error = spooled.append(&pattern(1000)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(spooled.len(), 6);
    // What was claimed in vain serves the next attempt.
    spooled.file = kept;
    spooled.append(b" and after").unwrap();
    assert_eq!(spooled.len(), 16);
    assert_eq!(claimed(&room), (0, 1006));
    drop(spooled);
    assert_eq!(claimed(&room), (0, 0));
}

#[test]
fn a_folder_that_cannot_be_written_is_no_lack_of_room() {
    let (folder, _) = room(0);
    let room = Arc::new(Room::new(&folder.path().join("missing"), 1 << 20));
    let mut spool = Spool::new(&room);
    spool.append(b"small").unwrap();
    let error = spool.append(&pattern(EACH)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(read(&spool) == b"small");
}

#[test]
fn claims_of_many_threads_never_pass_the_bound() {
    let budget = Budget {
        used: AtomicU64::new(0),
        max: 5,
    };
    let granted = std::thread::scope(|scope| {
        let claimers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut granted = 0;
                    for _ in 0..2_000 {
                        if budget.claim(2) {
                            granted += 1;
                            assert!(budget.used.load(Ordering::Relaxed) <= 4);
                            budget.release(2);
                        }
                    }
                    granted
                })
            })
            .collect();
        claimers
            .into_iter()
            .map(|it| it.join().unwrap())
            .sum::<u32>()
    });
    assert!(granted > 0);
    assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    assert!(!budget.claim(u64::MAX) && !budget.claim(6) && budget.claim(5));
}

#[test]
fn a_file_of_memory_is_read_from_its_beginning() {
    let mut bytes = Vec::new();
    memory_file(b"whole")
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, b"whole");
}
