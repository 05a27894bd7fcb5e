//! What a server and its spawners say to each other, as bytes.
//!
//! Source: ours. Shape: an order is a packet: its kind, the serial number of the program that it is
//! about, and what it needs, strings led by their lengths. What became of a program is told in reports, a
//! kind and a number each, through a pipe of its own. Both sides are of one build, so there is no version
//! of it, and numbers are in the machine's own order. Rules: what does not fit the shape is `None`.

/// The longest order; with a longer one a program is started without a spawner.
pub const ORDER_MAX: usize = 128 << 10;

/// The length of every report.
pub const REPORT_LEN: usize = 5;

/// How many reports there are about one program.
pub const REPORTS_MAX: usize = 5;

const START: u8 = 1;
const SIGNAL: u8 = 2;

/// What a spawner is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Order<'m> {
    /// To start a program.
    Start(Start<'m>),
    /// To send a signal to a program's whole group.
    Signal(u32, Urgency),
}

/// How a program is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// By SIGTERM.
    Term,
    /// By SIGKILL.
    Kill,
}

/// A program to be started.
#[derive(Debug, PartialEq, Eq)]
pub struct Start<'m> {
    /// What later orders call it.
    pub serial: u32,
    /// How many descriptors come along with the order.
    pub descriptors: u8,
    /// The file to execute, absolute.
    pub path: &'m [u8],
    /// What it is told that it is called; nothing for its path.
    pub name: &'m [u8],
    /// Its working folder.
    pub folder: &'m [u8],
    /// Its arguments, without its own name.
    pub arguments: Vec<&'m [u8]>,
    /// Its whole environment.
    pub environment: Vec<(&'m [u8], &'m [u8])>,
}

/// What a spawner tells of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The program runs, with this process id.
    Started(i32),
    /// It could not be started: the kernel's error number.
    Failed(i32),
    /// When it had been started, as [`clock::stamp`](crate::sys::clock) gives it.
    At(i32),
    /// It had so many microseconds of processor time.
    Cpu(i32),
    /// It had so many KiB of memory at its most.
    Memory(i32),
    /// It has ended, with this status as wait(2) tells it. Nothing follows.
    Ended(i32),
}

/// Appends the order to start a program.
pub fn encode_start<'e>(
    message: &mut Vec<u8>,
    serial: u32,
    descriptors: u8,
    [path, name, folder]: [&[u8]; 3],
    arguments: &[Vec<u8>],
    environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
) {
    message.push(START);
    message.extend(serial.to_ne_bytes());
    message.push(descriptors);
    for text in [path, name, folder] {
        push(message, text);
    }
    message.extend(length(arguments.len()));
    for argument in arguments {
        push(message, argument);
    }
    for (name, value) in environment {
        push(message, name);
        push(message, value);
    }
}

/// The order to have a program end.
pub fn encode_signal(serial: u32, urgency: Urgency) -> [u8; 6] {
    let [a, b, c, d] = serial.to_ne_bytes();
    [SIGNAL, a, b, c, d, urgency as u8]
}

pub(super) fn push(message: &mut Vec<u8>, bytes: &[u8]) {
    message.extend(length(bytes.len()));
    message.extend_from_slice(bytes);
}

/// A length that is wrong in what is far too long to be sent does no harm.
pub(super) fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes()
}

impl<'m> Order<'m> {
    /// The order that a message is.
    pub fn decode(message: &'m [u8]) -> Option<Order<'m>> {
        let (kind, rest) = message.split_first()?;
        let (serial, mut rest) = rest.split_first_chunk()?;
        let serial = u32::from_ne_bytes(*serial);
        match *kind {
            START => {
                let (descriptors, after) = rest.split_first()?;
                rest = after;
                let [path, name, folder] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?];
                let count = take_length(&mut rest)?;
                let arguments = (0..count).map(|_| take(&mut rest)).collect::<Option<_>>()?;
                let mut environment = Vec::new();
                while !rest.is_empty() {
                    environment.push((take(&mut rest)?, take(&mut rest)?));
                }
                Some(Order::Start(Start {
                    serial,
                    descriptors: *descriptors,
                    path,
                    name,
                    folder,
                    arguments,
                    environment,
                }))
            }
            SIGNAL => match rest {
                [0] => Some(Order::Signal(serial, Urgency::Term)),
                [1] => Some(Order::Signal(serial, Urgency::Kill)),
                _ => None,
            },
            _ => None,
        }
    }
}

pub(super) fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_ne_bytes(*length)).ok()
}

pub(super) fn take<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let len = take_length(rest)?;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
}

impl Report {
    /// The report as bytes.
    pub fn encode(self) -> [u8; REPORT_LEN] {
        let (kind, number) = match self {
            Report::Started(pid) => (1, pid),
            Report::Failed(error) => (2, error),
            Report::Ended(status) => (3, status),
            Report::At(stamp) => (4, stamp),
            Report::Cpu(micros) => (5, micros),
            Report::Memory(kib) => (6, kib),
        };
        let [a, b, c, d] = number.to_ne_bytes();
        [kind, a, b, c, d]
    }

    /// The report that these bytes are.
    pub fn decode(bytes: &[u8]) -> Option<Report> {
        let (kind, number) = bytes.split_first()?;
        let number = i32::from_ne_bytes(number.try_into().ok()?);
        match kind {
            1 => Some(Report::Started(number)),
            2 => Some(Report::Failed(number)),
            3 => Some(Report::Ended(number)),
            4 => Some(Report::At(number)),
            5 => Some(Report::Cpu(number)),
            6 => Some(Report::Memory(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Vec<u8> {
        let mut message = Vec::new();
        let arguments = [b"one".to_vec(), Vec::new()];
        let environment: [(&[u8], &[u8]); 2] = [(b"A", b"a=b"), (b"EMPTY", b"")];
        encode_start(
            &mut message,
            7,
            3,
            [b"/bin/x", b"x", b"/bin"],
            &arguments,
            environment.into_iter(),
        );
        message
    }

    #[test]
    fn what_is_said_is_understood() {
        let message = start();
        let expected = Start {
            serial: 7,
            descriptors: 3,
            path: b"/bin/x",
            name: b"x",
            folder: b"/bin",
            arguments: vec![b"one", b""],
            environment: vec![(b"A", b"a=b"), (b"EMPTY", b"")],
        };
        assert_eq!(Order::decode(&message), Some(Order::Start(expected)));
        for urgency in [Urgency::Term, Urgency::Kill] {
            let order = encode_signal(u32::MAX, urgency);
            assert_eq!(
                Order::decode(&order),
                Some(Order::Signal(u32::MAX, urgency))
            );
        }
        for report in [
            Report::Started(1),
            Report::Failed(2),
            Report::Ended(-3),
            Report::At(4),
            Report::Cpu(5),
            Report::Memory(i32::MAX),
        ] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }

    #[test]
    fn what_is_cut_is_not_understood() {
        let message = start();
        // Where a variable ends an order could.
        let whole = [message.len(), message.len() - 13, message.len() - 25];
        for len in 0..message.len() {
            let order = Order::decode(&message[..len]);
            assert_eq!(order.is_some(), whole.contains(&len), "{len}");
        }
        let signal = encode_signal(7, Urgency::Kill);
        for cut in [
            &signal[..5],
            b"\x02\0\0\0\0\x02",
            b"\x02\0\0\0\0\0\0",
            b"\x09\0\0\0\0",
        ] {
            assert_eq!(Order::decode(cut), None);
        }
        for cut in [&b""[..], b"\x01\0\0\0", b"\x01\0\0\0\0\0", b"\x07\0\0\0\0"] {
            assert_eq!(Report::decode(cut), None);
        }
        let huge = [&[START, 0, 0, 0, 0, 3][..], &u32::MAX.to_ne_bytes(), b"x"].concat();
        assert_eq!(Order::decode(&huge), None);
    }
}
