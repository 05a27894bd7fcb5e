use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::proto::http::head::HeadLimits;
use crate::sys::testing::TempDir;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

fn head(text: &str) -> RequestHead {
    let mut head = RequestHead::default();
    head.parse(text.as_bytes(), &HeadLimits::default()).unwrap();
    head
}

fn log_file(folder: &TempDir) -> (AccessLog, PathBuf) {
    let path = folder.path().join("access.log");
    let log = AccessLog::open(
        &config::AccessLog::File(path.clone()),
        &LogFormat::default(),
        None,
    )
    .unwrap();
    (log, path)
}

#[test]
fn an_exchange_is_one_line() {
    let request = "GET /a?b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\"x\r\nUser-Agent: u\r\n\r\n";
    let plain = "GET / HTTP/1.0\r\n\r\n";
    let tcp = |text: &str| Whom::At(text.parse().unwrap(), Some(9));
    // (peer, head, status, bytes, micros, reason, line)
    let cases = [
        (
            tcp("127.0.0.1"),
            head(request),
            200,
            12,
            1_000_123,
            None,
            "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 12 \
             \"http://r/\\x22x\" \"u\" 1.000123s -\n",
        ),
        (
            tcp("::1"),
            head(plain),
            404,
            0,
            0,
            Some(Reason::FileNotFound),
            "::1 - - [06/Nov/1994:08:49:37 +0000] \"GET / HTTP/1.0\" 404 0 \"-\" \"-\" 0.000000s \
             file.not-found\n",
        ),
        (
            Whom::Local,
            RequestHead::default(),
            400,
            7,
            12_000_000,
            Some(Reason::HeadMalformed),
            "unix: - - [06/Nov/1994:08:49:37 +0000] \"-\" 400 7 \"-\" \"-\" 12.000000s \
             head.malformed\n",
        ),
    ];
    let folder = TempDir::new();
    let (log, path) = log_file(&folder);
    assert!(log.is_on());
    let mut expected = String::new();
    for (peer, head, status, body_len, micros, reason, line) in cases {
        let mut entry = Entry::new(
            &LogFormat::default(),
            &peer,
            None,
            head.request_line(),
            &head,
            DATE,
            500,
        );
        entry.status = StatusCode::new(status).unwrap();
        entry.body_len = body_len;
        entry.reason = reason;
        log.write(&entry, 500 + micros);
        expected.push_str(line);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}

#[test]
fn a_log_is_appended_to_and_not_for_everyone_to_read() {
    let folder = TempDir::new();
    let (log, path) = log_file(&folder);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    let entry = Entry::new(
        &LogFormat::default(),
        &Whom::Local,
        None,
        b"",
        &RequestHead::default(),
        DATE,
        0,
    );
    log.write(&entry, 0);
    let (again, _) = log_file(&folder);
    again.write(&entry, 0);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_renamed_log_is_left_for_a_fresh_one() {
    let folder = TempDir::new();
    let (log, path) = log_file(&folder);
    let old = folder.path().join("access.log.1");
    let entry = Entry::new(
        &LogFormat::default(),
        &Whom::Local,
        None,
        b"",
        &RequestHead::default(),
        DATE,
        0,
    );
    log.write(&entry, 0);
    fs::rename(&path, &old).unwrap();
    log.write(&entry, 0);
    log.reopen();
    log.write(&entry, 0);
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!((lines(&old), lines(&path)), (2, 1));
    // Where it cannot be opened the old one stays.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    log.write(&entry, 0);
    assert!(log.is_on());
}

#[test]
fn lines_of_many_threads_never_mix() {
    let folder = TempDir::new();
    let (log, path) = log_file(&folder);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let entry = Entry::new(
                    &LogFormat::default(),
                    &Whom::Local,
                    None,
                    b"",
                    &RequestHead::default(),
                    DATE,
                    0,
                );
                for round in 0..500 {
                    log.write(&entry, 0);
                    if round % 100 == 0 {
                        log.reopen();
                    }
                }
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2_000);
    let first = text.lines().next().unwrap();
    assert!(text.lines().all(|line| line == first));
}

#[test]
fn a_full_disk_harms_no_request() {
    let log = AccessLog::open(
        &config::AccessLog::File("/dev/full".into()),
        &LogFormat::default(),
        None,
    )
    .unwrap();
    let entry = Entry::new(
        &LogFormat::default(),
        &Whom::Local,
        None,
        b"",
        &RequestHead::default(),
        DATE,
        0,
    );
    log.write(&entry, 0);
    log.write(&entry, 0);
    assert_eq!(log.lost.load(Ordering::Relaxed), 2);
}

#[test]
fn a_log_that_cannot_be_opened_is_told_in_one_line() {
    let setting = config::AccessLog::File("/nowhere/access.log".into());
    let error = AccessLog::open(&setting, &LogFormat::default(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--access-log: '/nowhere/access.log' cannot be opened for writing (No such file or \
         directory (os error 2))"
    );
    assert_eq!(error.exit, config::ExitStatus::CouldNotStart);
    let off = AccessLog::open(&config::AccessLog::Off, &LogFormat::default(), None).unwrap();
    assert!(!off.is_on());
}

/// What a pipe takes as one is never mixed with what others write (pipe(7), PIPE_BUF).
#[test]
fn the_longest_line_is_one_write_to_a_pipe() {
    // Of bytes that take four each, of plain ones, and a name that is nothing but spaces.
    for byte in [0x01, b'x', b' '] {
        let long = vec![byte; 9_000];
        let value = vec![byte.max(b' ') | 0x80; 5_000];
        let value = |name: &str| [name.as_bytes(), b": ", &value, b"\r\n"].concat();
        let fields = [value("Referer"), value("User-Agent")].concat();
        let text = [b"GET / HTTP/1.0\r\n", &*fields, b"\r\n"].concat();
        let mut head = RequestHead::default();
        head.parse(&text, &HeadLimits::default()).unwrap();
        let user = String::from_utf8(long.clone()).unwrap();
        let whom = Whom::At(
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap(),
            None,
        );
        let folder = TempDir::new();
        let (log, path) = log_file(&folder);
        let mut entry = Entry::new(
            &LogFormat::default(),
            &whom,
            Some(&user),
            &long,
            &head,
            DATE,
            0,
        );
        entry.reason = Some(Reason::FastcgiConnectTimeout);
        log.write(&entry, u64::MAX);
        let line = fs::read(&path).unwrap();
        assert!(line.len() < 4_096, "{} bytes of {byte}", line.len());
        // Each of them is there for all that, as far as it may go.
        let parts = format::REQUEST_LINE_MAX + 2 * format::QUOTED_MAX + format::USER_MAX;
        assert!(line.len() > parts, "{} bytes of {byte}", line.len());
        assert_eq!(
            line.split(|&byte| byte == b'.')
                .filter(|it| it.is_empty())
                .count(),
            8
        );
    }
}
