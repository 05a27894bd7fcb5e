//! One request at the backend of the tests: how it is received, and the ways of answering it.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::Shared;
use super::records::{
    self, ABORT_REQUEST, BEGIN_REQUEST, PARAMS, REQUEST_COMPLETE, Record, STDERR, STDIN, STDOUT,
    end_request, fault, read_record, record,
};

/// What a script makes of a request; an error ends the connection.
pub(crate) type Scripted = io::Result<Then>;

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is kept if the request asked for that.
    AsAsked,
    /// It is closed, whatever was asked.
    Close,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) role: u16,
    /// FCGI_KEEP_CONN.
    pub(crate) keep: bool,
    pub(crate) params: Vec<(String, String)>,
    /// As far as the script has read it.
    pub(crate) stdin: Vec<u8>,
}

impl Seen {
    /// The value of a parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let mut all = self.params.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Has the script answer the requests of a connection, one after the other.
pub(super) fn serve(shared: &Shared, stream: &mut File) -> io::Result<()> {
    for earlier in 0.. {
        let Some(begin) = next_begin(stream)? else {
            break;
        };
        let (role, flags) = records::begin_request(&begin)?;
        let seen = Seen {
            role,
            keep: flags == 1,
            params: read_params(stream, begin.id)?,
            stdin: Vec::new(),
        };
        let at = {
            let mut state = shared.state.lock().unwrap();
            state.active += 1;
            state.most_at_once = state.most_at_once.max(state.active);
            state.seen.push(seen.clone());
            state.seen.len() - 1
        };
        let keep = seen.keep;
        let mut exchange = Exchange {
            stream,
            shared,
            at,
            id: begin.id,
            seen,
            earlier,
            stdin_ended: false,
            is_active: true,
        };
        let then = (shared.script)(&mut exchange);
        exchange.no_longer_active();
        if then? == Then::Close || !keep {
            break;
        }
    }
    Ok(())
}

/// What was not read of an ended request is skipped (section 3.3: of no active request).
fn next_begin(stream: &mut File) -> io::Result<Option<Record>> {
    loop {
        match read_record(stream)? {
            Some(record) if matches!(record.kind, STDIN | ABORT_REQUEST) => {}
            Some(record) if record.kind == BEGIN_REQUEST => return Ok(Some(record)),
            Some(record) => return Err(fault(format!("before a beginning: {record:?}"))),
            None => return Ok(None),
        }
    }
}

fn read_params(stream: &mut File, id: u16) -> io::Result<Vec<(String, String)>> {
    let mut bytes = Vec::new();
    loop {
        match read_record(stream)? {
            Some(record) if (record.kind, record.id) == (PARAMS, id) => {
                if record.content.is_empty() {
                    return records::pairs(&bytes);
                }
                bytes.extend_from_slice(&record.content);
            }
            Some(record) => return Err(fault(format!("within the parameters: {record:?}"))),
            None => return Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// One request, and the ways of answering it.
pub(crate) struct Exchange<'c> {
    stream: &'c mut File,
    shared: &'c Shared,
    at: usize,
    pub(crate) id: u16,
    pub(crate) seen: Seen,
    /// How many requests came before on the same connection.
    pub(crate) earlier: usize,
    stdin_ended: bool,
    is_active: bool,
}

impl Exchange<'_> {
    /// The value of a parameter, empty where it is not there.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.seen.param(name).unwrap_or_default()
    }

    /// Reads standard input to its end; its length has to be as told.
    pub(crate) fn read_stdin(&mut self) -> io::Result<()> {
        while !self.stdin_ended {
            let record = read_record(self.stream)?.ok_or(ErrorKind::UnexpectedEof)?;
            match (record.kind, record.id == self.id) {
                (STDIN, true) => {}
                (ABORT_REQUEST, true) => return Err(ErrorKind::ConnectionAborted.into()),
                _ => return Err(fault(format!("within standard input: {record:?}"))),
            }
            self.stdin_ended = record.content.is_empty();
            self.seen.stdin.extend_from_slice(&record.content);
        }
        let told = self.param("CONTENT_LENGTH").parse().unwrap_or(0);
        let read = self.seen.stdin.len();
        if told != read {
            return Err(fault(format!("told {told} bytes, and sent {read}")));
        }
        let mut state = self.shared.state.lock().unwrap();
        state.seen[self.at].stdin = self.seen.stdin.clone();
        Ok(())
    }

    /// Sends these very bytes.
    pub(crate) fn raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends standard output; nothing is a record too.
    pub(crate) fn out(&mut self, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.send(STDOUT, content.as_ref())
    }

    /// Sends standard error.
    pub(crate) fn err(&mut self, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.send(STDERR, content.as_ref())
    }

    fn send(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let bytes = stream_records(kind, self.id, content);
        self.raw(bytes)
    }

    /// Ends the request well, but without a word about the end of standard output, as PHP does.
    pub(crate) fn end(&mut self) -> Scripted {
        self.end_with(0, REQUEST_COMPLETE)
    }

    /// Ends the request so.
    pub(crate) fn end_with(&mut self, app_status: u32, protocol_status: u8) -> Scripted {
        // The server may send the next request before this thread goes on.
        self.no_longer_active();
        self.raw(end_request(self.id, app_status, protocol_status))?;
        Ok(Then::AsAsked)
    }

    /// Answers as a well-behaved application: reads all, prints this, ends both streams, and all of it
    /// at once, as libraries that buffer do.
    pub(crate) fn reply(&mut self, output: impl AsRef<[u8]>) -> Scripted {
        self.read_stdin()?;
        let output = output.as_ref();
        let mut bytes = Vec::new();
        if !output.is_empty() {
            bytes = stream_records(STDOUT, self.id, output);
        }
        bytes.extend(record(STDOUT, self.id, b"", 0));
        bytes.extend(end_request(self.id, 0, REQUEST_COMPLETE));
        // The server may send the next request before this thread goes on.
        self.no_longer_active();
        self.raw(bytes)?;
        Ok(Then::AsAsked)
    }

    /// As [`Exchange::reply`], with a document of type text/plain.
    pub(crate) fn document(&mut self, body: impl AsRef<[u8]>) -> Scripted {
        self.reply([b"Content-Type: text/plain\r\n\r\n", body.as_ref()].concat())
    }

    /// The next record.
    pub(crate) fn receive(&mut self) -> io::Result<Record> {
        Ok(read_record(self.stream)?.ok_or(ErrorKind::UnexpectedEof)?)
    }

    /// Says nothing until the server closes the connection.
    pub(crate) fn wait_until_closed(&mut self) -> Scripted {
        while read_record(self.stream)?.is_some() {}
        Ok(Then::Close)
    }

    fn no_longer_active(&mut self) {
        if std::mem::take(&mut self.is_active) {
            self.shared.state.lock().unwrap().active -= 1;
        }
    }
}

/// The records of some of a stream, each a multiple of 8 bytes; nothing is a record too.
fn stream_records(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    if content.is_empty() {
        return record(kind, id, b"", 0);
    }
    let mut records = Vec::with_capacity(content.len() + content.len() / 512);
    for piece in content.chunks(65_535) {
        let padding = (8 - piece.len() % 8) % 8;
        records.extend(record(kind, id, piece, padding as u8));
    }
    records
}
