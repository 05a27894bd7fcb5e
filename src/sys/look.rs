//! Looks at running programs, from outside: what they do at this moment.
//!
//! Source: proc(5): fd/, stat, syscall, wchan; pipe(7).
//! Shape: our end of a program's stdout goes in; what each process does that could still write to it comes
//! out. Rules: nothing here is sure (a process may end while it is looked at, and may not be looked
//! into), so everything is optional. It costs a walk through /proc, and is for failures alone.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// How many processes of the system are looked at.
const PROCESSES_MAX: usize = 8192;

/// How many of them are told of.
const TOLD_MAX: usize = 4;

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its id.
    pub pid: u32,
    /// Its name, 15 bytes of it.
    pub name: String,
    /// What it does.
    pub doing: Doing,
}

/// What a process does at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// It computes, and has taken so many hundredths of a second for it.
    Computes(u64),
    /// It waits for bytes from this descriptor, which leads there.
    Reads(u32, String),
    /// It waits for one of its children.
    AwaitsChild,
    /// It sleeps on purpose.
    Sleeps,
    /// It waits for a file to be opened.
    Opens,
    /// It waits for a connection.
    Connects,
    /// It waits for one of several things to happen.
    Polls,
    /// It waits for a lock.
    Locks,
    /// It is stopped.
    Stopped,
    /// It waits in this function of the kernel, where that can be told.
    Waits(String),
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}) ", self.name, self.pid)?;
        match &self.doing {
            Doing::Computes(hundredths) => write!(
                f,
                "computes; it has taken {}.{:02} s of processor time",
                hundredths / 100,
                hundredths % 100
            ),
            Doing::Reads(0, target) => {
                write!(f, "waits to read from its standard input ({target})")
            }
            Doing::Reads(descriptor, target) => {
                write!(
                    f,
                    "waits to read from its descriptor {descriptor} ({target})"
                )
            }
            Doing::AwaitsChild => f.write_str("waits for a program that it started"),
            Doing::Sleeps => f.write_str("sleeps"),
            Doing::Opens => f.write_str("waits to open a file"),
            Doing::Connects => f.write_str("waits to be connected"),
            Doing::Polls => f.write_str("waits for something to happen"),
            Doing::Locks => f.write_str("waits for a lock"),
            Doing::Stopped => f.write_str("is stopped"),
            Doing::Waits(function) if function.is_empty() => f.write_str("waits"),
            Doing::Waits(function) => write!(f, "waits in the kernel ({function})"),
        }
    }
}

/// The processes that have the other end of this pipe for their stdout, oldest first.
pub fn writers(pipe: impl AsFd) -> Vec<Look> {
    let Ok(stat) = rustix::fs::fstat(pipe) else {
        return Vec::new();
    };
    let wanted = format!("pipe:[{}]", stat.st_ino);
    let is_wanted = |pid: &u32| {
        let target = fs::read_link(format!("/proc/{pid}/fd/1"));
        target.is_ok_and(|target| target == Path::new(&wanted))
    };
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    // The kernel lists them by number.
    let pids = entries
        .take(PROCESSES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_wanted);
    let looks = pids.filter_map(|pid| look(pid).ok());
    looks.take(TOLD_MAX).collect()
}

fn look(pid: u32) -> io::Result<Look> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
    let stat = read("stat")?;
    let cut = || io::Error::from(io::ErrorKind::InvalidData);
    let (start, rest) = stat.rsplit_once(") ").ok_or_else(cut)?;
    let name = start.split_once('(').map_or("", |(_, name)| name);
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |at: usize| -> u64 { fields.get(at).and_then(|it| it.parse().ok()).unwrap_or(0) };
    let doing = match fields.first() {
        Some(&"R") => Doing::Computes(ticks(11) + ticks(12)),
        Some(&("T" | "t")) => Doing::Stopped,
        _ => {
            let call = read("syscall").unwrap_or_default();
            waiting(&call, |descriptor| {
                let target = fs::read_link(format!("/proc/{pid}/fd/{descriptor}"));
                target.map_or(String::new(), |target| target.display().to_string())
            })
            .unwrap_or_else(|| match read("wchan") {
                Ok(function) if function != "0" => Doing::Waits(function),
                _ => Doing::Waits(String::new()),
            })
        }
    };
    Ok(Look {
        pid,
        name: name.to_owned(),
        doing,
    })
}

/// What a line of `/proc/PID/syscall` means: the number of the call, and its arguments.
fn waiting(line: &str, target: impl Fn(u32) -> String) -> Option<Doing> {
    let mut words = line.split_ascii_whitespace();
    let number: u16 = words.next()?.parse().ok()?;
    let first = words.next().unwrap_or_default();
    let (_, doing) = CALLS.iter().find(|(known, _)| *known == number)?;
    Some(match doing {
        Call::Read => {
            let digits = first.trim_start_matches("0x");
            let descriptor = u32::from_str_radix(digits, 16).ok()?;
            Doing::Reads(descriptor, target(descriptor))
        }
        Call::Wait => Doing::AwaitsChild,
        Call::Sleep => Doing::Sleeps,
        Call::Open => Doing::Opens,
        Call::Connect => Doing::Connects,
        Call::Poll => Doing::Polls,
        Call::Lock => Doing::Locks,
    })
}

/// A kind of system call that waits.
#[derive(Debug, Clone, Copy)]
enum Call {
    Read,
    Wait,
    Sleep,
    Open,
    Connect,
    Poll,
    Lock,
}

/// Numbers of system calls, which each processor has its own of (asm/unistd.h).
#[cfg(target_arch = "x86_64")]
const CALLS: &[(u16, Call)] = &[
    (0, Call::Read),
    (45, Call::Read),
    (61, Call::Wait),
    (247, Call::Wait),
    (35, Call::Sleep),
    (230, Call::Sleep),
    (34, Call::Sleep),
    (2, Call::Open),
    (257, Call::Open),
    (42, Call::Connect),
    (7, Call::Poll),
    (23, Call::Poll),
    (232, Call::Poll),
    (270, Call::Poll),
    (271, Call::Poll),
    (281, Call::Poll),
    (72, Call::Lock),
    (73, Call::Lock),
    (202, Call::Lock),
];
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
const CALLS: &[(u16, Call)] = &[
    (63, Call::Read),
    (207, Call::Read),
    (260, Call::Wait),
    (95, Call::Wait),
    (101, Call::Sleep),
    (115, Call::Sleep),
    (56, Call::Open),
    (203, Call::Connect),
    (22, Call::Poll),
    (72, Call::Poll),
    (73, Call::Poll),
    (25, Call::Lock),
    (32, Call::Lock),
    (98, Call::Lock),
];
#[cfg(target_arch = "arm")]
const CALLS: &[(u16, Call)] = &[
    (3, Call::Read),
    (145, Call::Read),
    (292, Call::Read),
    (114, Call::Wait),
    (280, Call::Wait),
    (29, Call::Sleep),
    (162, Call::Sleep),
    (265, Call::Sleep),
    (407, Call::Sleep),
    (5, Call::Open),
    (322, Call::Open),
    (283, Call::Connect),
    (142, Call::Poll),
    (168, Call::Poll),
    (252, Call::Poll),
    (335, Call::Poll),
    (336, Call::Poll),
    (346, Call::Poll),
    (413, Call::Poll),
    (414, Call::Poll),
    (55, Call::Lock),
    (143, Call::Lock),
    (221, Call::Lock),
    (240, Call::Lock),
    (422, Call::Lock),
];
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "arm"
)))]
const CALLS: &[(u16, Call)] = &[];

/// How many programs the kernel has ended for want of memory since it was started.
pub fn ended_for_memory() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    let mut lines = counters.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

/// KiB of memory that this process has in use; 0 where /proc does not tell.
#[cfg(feature = "console")]
pub fn own_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_ascii_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_a_program_waits_for_can_be_seen() {
        // A shell that waits for another program, which waits for its own stdin.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "cat; true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let seen = loop {
            let seen: Vec<String> = writers(&stdout).iter().map(Look::to_string).collect();
            let settled = seen.len() == 2 && !seen.iter().any(|look| look.contains("computes"));
            if settled || Instant::now() > until {
                break seen;
            }
            std::thread::yield_now();
        };
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(
            seen.iter().any(|look| look.starts_with("cat (process ")),
            "{seen:?}"
        );
        // Who may not look into others sees that they wait, and no more.
        let may_look = fs::read_to_string("/proc/self/syscall").is_ok();
        if may_look && !CALLS.is_empty() {
            let waits = "waits to read from its standard input (pipe:[";
            assert!(
                seen.iter().any(|look| look.contains(waits))
                    || seen.iter().all(|look| look.contains("waits")),
                "{seen:?}"
            );
        }
        assert_eq!(writers(&stdout), []);
    }

    #[test]
    fn no_more_than_a_few_are_told_of() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "for i in 1 2 3 4 5 6; do cat <&3 & done 3<&0; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while writers(&stdout).len() < TOLD_MAX && Instant::now() < until {
            std::thread::yield_now();
        }
        let seen = writers(&stdout).len();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(seen, TOLD_MAX);
    }

    #[test]
    fn a_line_of_the_kernel_is_a_call_and_its_arguments() {
        let target = |descriptor| format!("to {descriptor}");
        assert_eq!(waiting("running", target), None);
        assert_eq!(waiting("", target), None);
        assert_eq!(waiting("60000 0x0", target), None);
        if let Some((read, _)) = CALLS.first() {
            let told = waiting(&format!("{read} 0x1f 0x7f 0x1"), target);
            assert_eq!(told, Some(Doing::Reads(31, "to 31".to_owned())));
        }
    }
}
