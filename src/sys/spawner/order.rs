//! What a server and its spawners say to each other, as bytes.
//!
//! Source: ours. Shape: a message is a packet of its own. An order is its kind and strings, each led by
//! its length; an answer is its kind and a number. Both sides are of one build, so there is no version
//! of it, and numbers are in the machine's own order. Rules: what does not fit the shape is `None`, and
//! never more than was sent.

/// The longest order; with a longer one a program is started without a spawner.
pub const ORDER_MAX: usize = 128 << 10;

/// The length of every answer.
pub const ANSWER_LEN: usize = 5;

const START: u8 = 1;
const REAP: u8 = 2;

/// What a spawner is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Order<'m> {
    /// To start a program.
    Start(Start<'m>),
    /// To reap the ended process with this id.
    Reap(i32),
}

/// A program to be started.
#[derive(Debug, PartialEq, Eq)]
pub struct Start<'m> {
    /// The file to execute, absolute.
    pub path: &'m [u8],
    /// Its working folder.
    pub folder: &'m [u8],
    /// Its arguments, without its own name.
    pub arguments: Vec<&'m [u8]>,
    /// Its whole environment.
    pub environment: Vec<(&'m [u8], &'m [u8])>,
}

/// What a spawner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The program runs, with this process id.
    Started(i32),
    /// It could not be started: the kernel's error number.
    Failed(i32),
    /// It has ended, with this status as wait(2) tells it.
    Ended(i32),
}

/// Replaces `message` with the order to start a program.
pub fn encode_start<'e>(
    message: &mut Vec<u8>,
    path: &[u8],
    folder: &[u8],
    arguments: &[Vec<u8>],
    environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
) {
    message.clear();
    message.push(START);
    push(message, path);
    push(message, folder);
    message.extend(length(arguments.len()));
    for argument in arguments {
        push(message, argument);
    }
    for (name, value) in environment {
        push(message, name);
        push(message, value);
    }
}

/// The order to reap the process with this id.
pub fn encode_reap(pid: i32) -> [u8; 5] {
    tagged(REAP, pid)
}

fn push(message: &mut Vec<u8>, bytes: &[u8]) {
    message.extend(length(bytes.len()));
    message.extend_from_slice(bytes);
}

/// A length that is wrong in what is far too long to be sent does no harm.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes()
}

fn tagged(kind: u8, number: i32) -> [u8; 5] {
    let [a, b, c, d] = number.to_ne_bytes();
    [kind, a, b, c, d]
}

impl<'m> Order<'m> {
    /// The order that a message is.
    pub fn decode(message: &'m [u8]) -> Option<Order<'m>> {
        let (kind, mut rest) = message.split_first()?;
        match *kind {
            START => {
                let (path, folder) = (take(&mut rest)?, take(&mut rest)?);
                let count = take_length(&mut rest)?;
                let arguments = (0..count).map(|_| take(&mut rest)).collect::<Option<_>>()?;
                let mut environment = Vec::new();
                while !rest.is_empty() {
                    environment.push((take(&mut rest)?, take(&mut rest)?));
                }
                Some(Order::Start(Start {
                    path,
                    folder,
                    arguments,
                    environment,
                }))
            }
            REAP => Some(Order::Reap(i32::from_ne_bytes(rest.try_into().ok()?))),
            _ => None,
        }
    }
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_ne_bytes(*length)).ok()
}

fn take<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let len = take_length(rest)?;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
}

impl Answer {
    /// The answer as a message.
    pub fn encode(self) -> [u8; ANSWER_LEN] {
        match self {
            Answer::Started(pid) => tagged(1, pid),
            Answer::Failed(error) => tagged(2, error),
            Answer::Ended(status) => tagged(3, status),
        }
    }

    /// The answer that a message is.
    pub fn decode(message: &[u8]) -> Option<Answer> {
        let (kind, number) = message.split_first()?;
        let number = i32::from_ne_bytes(number.try_into().ok()?);
        match kind {
            1 => Some(Answer::Started(number)),
            2 => Some(Answer::Failed(number)),
            3 => Some(Answer::Ended(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Vec<u8> {
        let mut message = b"what was there before".to_vec();
        let arguments = [b"one".to_vec(), Vec::new()];
        let environment: [(&[u8], &[u8]); 2] = [(b"A", b"a=b"), (b"EMPTY", b"")];
        encode_start(
            &mut message,
            b"/bin/x",
            b"/bin",
            &arguments,
            environment.into_iter(),
        );
        message
    }

    #[test]
    fn what_is_said_is_understood() {
        let message = start();
        let expected = Start {
            path: b"/bin/x",
            folder: b"/bin",
            arguments: vec![b"one", b""],
            environment: vec![(b"A", b"a=b"), (b"EMPTY", b"")],
        };
        assert_eq!(Order::decode(&message), Some(Order::Start(expected)));
        assert_eq!(Order::decode(&encode_reap(7)), Some(Order::Reap(7)));
        for answer in [Answer::Started(1), Answer::Failed(2), Answer::Ended(-3)] {
            assert_eq!(Answer::decode(&answer.encode()), Some(answer));
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
        for cut in [&b""[..], b"\x01", b"\x02\0\0\0", b"\x02\0\0\0\0\0", b"\x09"] {
            assert_eq!(Order::decode(cut), None);
        }
        for cut in [&b""[..], b"\x01\0\0\0", b"\x01\0\0\0\0\0", b"\x04\0\0\0\0"] {
            assert_eq!(Answer::decode(cut), None);
        }
        let huge = [&[START][..], &u32::MAX.to_ne_bytes(), b"x"].concat();
        assert_eq!(Order::decode(&huge), None);
    }
}
