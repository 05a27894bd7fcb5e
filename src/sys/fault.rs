//! Fault points: the places where this server asks the kernel for something, each with a name by which a
//! test has it refused.
//!
//! Shape: `fault::accept()?` stands before the call that it is named after, in the same expression, so that
//! whatever handles the kernel's refusal handles this one. What is to fail is told once, at the start, by
//! the variable [`VARIABLE`]: `accept=EMFILE@3,send=EPIPE@2-4`, a point, an error and which of the calls
//! are refused: the third, the second to the fourth, or `5-`, the fifth and all that follow. Each process
//! counts for itself; spawners are told as well. Rules:
//! - It is for tests alone: without the feature `fault-points`, which no release has, every point is an
//!   empty function, and nothing of them is left in the program.
//! - The call is refused instead of made, so nothing has happened that would have to be undone.
//! - Every refusal is told on standard error, so that a test can wait for it and none passes by chance.
//!
//! A new system call that may fail gets a line in the table below, and one in that of `tests/faults.rs`,
//! which fails where a point has none.

use rustix::io::Errno;

/// The variable of the environment that tells what is to fail.
pub const VARIABLE: &str = "TOLLGATE_FAULTS";

macro_rules! points {
    ($($name:ident $what:literal;)*) => {
        /// The names of all points.
        pub const POINTS: &[&str] = &[$(stringify!($name),)*];

        #[cfg(feature = "fault-points")]
        #[allow(non_camel_case_types)]
        enum Point { $($name,)* }

        $(
            #[doc = $what]
            #[inline(always)]
            pub fn $name() -> Result<(), Errno> {
                #[cfg(feature = "fault-points")]
                armed::pass(Point::$name as usize)?;
                Ok(())
            }
        )*
    };
}

points! {
    // Connections.
    socket "A socket is made, to listen or to connect.";
    bind "An address is bound.";
    accept "A connection is accepted.";
    connect "A connection to an application is begun.";
    recv "A connection is read from.";
    send "A connection is written to.";
    sendfile "A file is sent over a connection: disk and peer may both fail.";
    splice "What lies in a program's pipe is sent over a connection.";
    // Waiting.
    epoll_create "The poller is made.";
    epoll_add "A descriptor is registered with the poller.";
    epoll_wait "The poller is waited for.";
    eventfd "Something to be woken by is made.";
    poll "A program, its pipes and its client are waited for.";
    // Files.
    open "A path below a root is resolved and opened.";
    stat "A file or a path is looked at.";
    read_file "A file is read into memory.";
    spool_open "A spool file is made.";
    spool_write "A spool file is written to.";
    // Programs.
    pipe "The pipes of a program are made.";
    socketpair "A connection to a new spawner is made.";
    launch "A spawner is started.";
    sendmsg "A spawner is sent an order.";
    recvmsg "A spawner receives an order.";
    spawn "A program is started, by a spawner or without.";
    pidfd "A program's end is made something to wait for.";
    read "A program's pipe is read from.";
    grace "A program that was told to end is waited for.";
    // Memory: Linux grants what is asked for as long as it can, but for limits (RLIMIT_AS, overcommit
    // off). A few hundred bytes are then past mending, and end the process. Buffers, which others can
    // have this server fill, are asked for by calls that may fail, and these are what this point is.
    memory "A buffer is given memory.";
}

/// What a process that is started by this one is told of the faults.
#[inline(always)]
pub fn handed_down() -> Option<(&'static str, std::ffi::OsString)> {
    #[cfg(feature = "fault-points")]
    return std::env::var_os(VARIABLE).map(|faults| (VARIABLE, faults));
    #[cfg(not(feature = "fault-points"))]
    None
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::io::Errno;

    use super::{POINTS, VARIABLE};

    /// The errors that a point can be told to fail with.
    const ERRORS: &[(&str, Errno)] = &[
        ("EACCES", Errno::ACCESS),
        ("EADDRINUSE", Errno::ADDRINUSE),
        ("EAGAIN", Errno::AGAIN),
        ("ECONNABORTED", Errno::CONNABORTED),
        ("ECONNREFUSED", Errno::CONNREFUSED),
        ("ECONNRESET", Errno::CONNRESET),
        ("EDQUOT", Errno::DQUOT),
        ("EFBIG", Errno::FBIG),
        ("EINTR", Errno::INTR),
        ("EINVAL", Errno::INVAL),
        ("EIO", Errno::IO),
        ("EMFILE", Errno::MFILE),
        ("ENFILE", Errno::NFILE),
        ("ENOBUFS", Errno::NOBUFS),
        ("ENOENT", Errno::NOENT),
        ("ENOMEM", Errno::NOMEM),
        ("ENOSPC", Errno::NOSPC),
        ("ENOSYS", Errno::NOSYS),
        ("EPERM", Errno::PERM),
        ("EPIPE", Errno::PIPE),
        ("EROFS", Errno::ROFS),
        ("ETIMEDOUT", Errno::TIMEDOUT),
    ];

    /// What is to fail, and which of the calls, counted from 1.
    struct Fault {
        point: usize,
        error: Errno,
        name: &'static str,
        first: u32,
        last: u32,
    }

    struct Plan {
        faults: Vec<Fault>,
        calls: Vec<AtomicU32>,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();

    /// Counts a call, and refuses it where it is its turn.
    pub fn pass(point: usize) -> Result<(), Errno> {
        let plan = PLAN.get_or_init(Plan::read);
        if plan.faults.is_empty() {
            return Ok(());
        }
        let call = plan.calls[point].fetch_add(1, Ordering::Relaxed) + 1;
        let meets =
            |fault: &&Fault| fault.point == point && (fault.first..=fault.last).contains(&call);
        match plan.faults.iter().find(meets) {
            None => Ok(()),
            Some(fault) => {
                tell(&format!("{} {call}: {}", POINTS[point], fault.name));
                Err(fault.error)
            }
        }
    }

    impl Plan {
        fn read() -> Plan {
            let told = std::env::var(VARIABLE).unwrap_or_default();
            let words = told.split(',').filter(|word| !word.is_empty());
            let faults = words.filter_map(|word| {
                let fault = Fault::parse(word);
                if fault.is_none() {
                    tell(&format!("'{word}' is not POINT=ERROR@N, @N-M or @N-"));
                }
                fault
            });
            Plan {
                faults: faults.collect(),
                calls: POINTS.iter().map(|_| AtomicU32::new(0)).collect(),
            }
        }
    }

    impl Fault {
        fn parse(word: &str) -> Option<Fault> {
            let (point, rest) = word.split_once('=')?;
            let (error, calls) = rest.split_once('@')?;
            let point = POINTS.iter().position(|name| *name == point)?;
            let (name, error) = *ERRORS.iter().find(|(name, _)| *name == error)?;
            let (first, last) = match calls.split_once('-') {
                None => (calls, calls),
                Some((first, "")) => (first, "4294967295"),
                Some(range) => range,
            };
            Some(Fault {
                point,
                error,
                name,
                first: first.parse().ok()?,
                last: last.parse().ok()?,
            })
        }
    }

    fn tell(text: &str) {
        // In one piece; with standard error gone no test listens.
        let _ = std::io::stderr().write_all(format!("fault: {text}\n").as_bytes());
    }
}
