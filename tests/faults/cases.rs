//! What is refused, and what may come of it; and what a server is asked meanwhile.

/// A response that the client can tell is none, or not whole.
pub(crate) const CUT: u16 = 0;

/// Which calls are refused: the first, then several.
pub(crate) const CALLS: &[&str] = &["1", "2-9"];

/// A point and what it may fail with.
pub(crate) struct Case {
    pub(crate) point: &'static str,
    pub(crate) errors: &'static [&'static str],
    /// What whoever is hit may get in place of the right answer: a status, or [`CUT`]. With nothing here
    /// nobody may notice.
    pub(crate) fails: &'static [u16],
    pub(crate) calls: &'static [&'static str],
}

pub(crate) const fn case(
    point: &'static str,
    errors: &'static [&'static str],
    fails: &'static [u16],
) -> Case {
    Case {
        point,
        errors,
        fails,
        calls: CALLS,
    }
}

impl Case {
    /// The same for other calls.
    const fn at(self, calls: &'static [&'static str]) -> Case {
        Case { calls, ..self }
    }
}

/// What fails while the server starts: it does not, and says why.
pub(crate) const STARTS: &[Case] = &[
    case("socket", &["EMFILE", "ENOBUFS"], &[]).at(&["1"]),
    case("bind", &["EADDRINUSE", "EACCES"], &[]).at(&["1"]),
    case("epoll_create", &["EMFILE", "ENOMEM"], &[]).at(&["1"]),
    case("epoll_add", &["ENOMEM", "ENOSPC"], &[]).at(&["1"]),
    case("eventfd", &["ENFILE", "ENOMEM"], &[]).at(&["1"]),
];

/// Between the server and its clients.
pub(crate) const CONNECTIONS: &[Case] = &[
    case("accept", &["EINTR", "ECONNABORTED"], &[]),
    // Those who wait to be accepted still do a second later.
    case("accept", &["EMFILE", "ENFILE", "ENOMEM"], &[]).at(&["1", "2-3"]),
    case("recv", &["EINTR"], &[]),
    case("recv", &["ECONNRESET", "ENOMEM", "ETIMEDOUT"], &[CUT]),
    case("send", &["EINTR"], &[]),
    case("send", &["EPIPE", "ECONNRESET", "ENOBUFS"], &[CUT]),
    case("sendfile", &["EINTR"], &[]),
    case("sendfile", &["EIO", "EPIPE", "ENOMEM"], &[CUT]),
    case("epoll_wait", &["EINTR", "ENOMEM"], &[]),
    // There is less of it, then none.
    case("memory", &["ENOMEM"], &[]).at(&["1"]),
    case("memory", &["ENOMEM"], &[CUT, 500]).at(&["2-9"]),
];

pub(crate) const FILES: &[Case] = &[
    case("open", &["EINTR"], &[]),
    case(
        "open",
        &["EMFILE", "ENFILE", "ENOMEM", "EIO", "EAGAIN"],
        &[500, 503],
    ),
    case("open", &["EACCES"], &[403]),
    case("stat", &["EIO", "ENOMEM"], &[500]),
    // It is sent from the disk instead.
    case("read_file", &["EIO", "ENOMEM"], &[]),
];

pub(crate) const SPOOLS: &[Case] = &[
    case("spool_open", &["ENOSPC", "EDQUOT"], &[507]),
    case(
        "spool_open",
        &["EMFILE", "ENFILE", "EROFS", "EACCES", "EIO"],
        &[500],
    ),
    case("spool_write", &["ENOSPC", "EDQUOT", "EFBIG"], &[507]),
    case("spool_write", &["EIO"], &[500]),
];

pub(crate) const PROGRAMS: &[Case] = &[
    case("pipe", &["EMFILE", "ENFILE"], &[503]),
    // Without a spawner the server starts programs itself.
    case("socketpair", &["EMFILE", "ENFILE"], &[]).at(&["1", "1-2"]),
    case("launch", &["EAGAIN", "ENOMEM"], &[]).at(&["1", "1-2"]),
    case("sendmsg", &["EINTR", "EPIPE", "ENOBUFS", "EAGAIN"], &[]),
    case("recvmsg", &["EINTR", "ENOMEM"], &[]),
    case("spawn", &["EAGAIN", "ENOMEM", "EMFILE"], &[503]),
    // The program may have printed something already.
    case("pidfd", &["EMFILE", "ENOMEM"], &[CUT, 503]).at(&["1", "2-40"]),
    case("poll", &["EINTR"], &[]),
    case("poll", &["ENOMEM"], &[CUT, 500]),
    case("read", &["EINTR"], &[]),
    case("read", &["EIO", "ENOMEM"], &[CUT, 500]),
];

/// Much output, on its way without a copy.
pub(crate) const SPLICES: &[Case] = &[
    // What cannot be spliced is read.
    case("splice", &["EINTR", "EINVAL", "ENOSYS", "EPERM"], &[]),
    case("splice", &["EPIPE", "ECONNRESET", "ENOMEM"], &[CUT]),
];

/// Between the server and applications that run already.
pub(crate) const BACKENDS: &[Case] = &[
    // The first one is the listener.
    case("socket", &["EMFILE", "ENOBUFS"], &[502, 503]).at(&["2", "3-9"]),
    case(
        "connect",
        &["ECONNREFUSED", "EACCES", "EAGAIN"],
        &[502, 503],
    ),
    case("recv", &["ECONNRESET", "ENOMEM"], &[CUT, 502, 503]),
    case("send", &["EPIPE", "ENOBUFS"], &[CUT, 502, 503]),
    case("sendfile", &["EIO", "ENOMEM"], &[CUT, 500]),
    case("memory", &["ENOMEM"], &[CUT, 500, 502, 503]).at(&["2-9"]),
    // The server's own, then the first client; what is registered for that one comes next.
    case("epoll_add", &["ENOMEM"], &[502, 503]).at(&["4"]),
];

/// What is wanting while the server starts an application is not wanting for good.
pub(crate) const SUPERVISED: &[Case] = &[
    case("connect", &["EAGAIN"], &[]).at(&["1", "2-3"]),
    case("pipe", &["EMFILE"], &[502, 503]).at(&["1-2"]),
    case("spawn", &["EAGAIN", "ENOMEM"], &[502, 503]).at(&["1-2"]),
    // A spawner ends what it could not see the end of.
    case("pidfd", &["EMFILE"], &[502, 503]).at(&["1"]),
    case("poll", &["EINTR", "ENOMEM"], &[]),
];

/// One request of a round.
pub(crate) struct Ask {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    pub(crate) body: usize,
    /// The length of the right answer and a part of it.
    pub(crate) len: Option<usize>,
    pub(crate) part: &'static str,
}

pub(crate) const fn ask(
    name: &'static str,
    method: &'static str,
    target: &'static str,
    body: usize,
    len: Option<usize>,
    part: &'static str,
) -> Ask {
    Ask {
        name,
        method,
        target,
        body,
        len,
        part,
    }
}

pub(crate) const A_FILE: Ask = ask("a file", "GET", "/small.txt", 0, Some(6), "small\n");
pub(crate) const A_LONG_FILE: Ask =
    ask("a long file", "GET", "/long.txt", 0, Some(200_000), "0123");
pub(crate) const A_PROGRAM: Ask = ask(
    "a program",
    "GET",
    "/cgi-bin/probe/hello",
    0,
    Some(6),
    "hello\n",
);
pub(crate) const AN_UPLOAD: Ask = ask(
    "an upload",
    "POST",
    "/cgi-bin/probe/stdin",
    150_000,
    None,
    "told 150000, read 150000\n",
);

pub(crate) const FILE_ROUND: &[Ask] = &[A_FILE, A_LONG_FILE];

pub(crate) const SPOOL_ROUND: &[Ask] = &[AN_UPLOAD, A_FILE];

pub(crate) const PROGRAM_ROUND: &[Ask] = &[
    A_PROGRAM,
    ask(
        "a form",
        "POST",
        "/cgi-bin/probe/stdin",
        9_000,
        None,
        "told 9000, read 9000\n",
    ),
    A_FILE,
    ask(
        "much output",
        "GET",
        "/cgi-bin/probe/flood?bytes=200000",
        0,
        Some(200_000),
        "0000",
    ),
];

pub(crate) const SPLICE_ROUND: &[Ask] = &[
    ask(
        "very much output",
        "GET",
        "/cgi-bin/much",
        0,
        Some(1_000_000),
        "0123",
    ),
    A_FILE,
];

pub(crate) const CONNECTION_ROUND: &[Ask] = &[A_FILE, A_LONG_FILE, A_PROGRAM, AN_UPLOAD];

#[cfg(feature = "fastcgi")]
pub(crate) const APPLICATION_ROUND: &[Ask] = &[
    ask(
        "an application",
        "GET",
        "/app/",
        0,
        None,
        "You are visitor ",
    ),
    ask(
        "an upload",
        "POST",
        "/app/",
        150_000,
        None,
        "You are visitor ",
    ),
    A_FILE,
];
