//! One program, two ways to be run: as CGI and as FastCGI. It counts its visitors.
//!
//! As CGI it is started anew for each request: the request is in its environment and on descriptor 0,
//! it prints one page, and it ends. Its visitor is always number 1.
//!
//! ```text
//! cargo build --release --example visitor
//! cp target/release/examples/visitor cgi-bin/
//! tollgate                                        # http://127.0.0.1:8080/cgi-bin/visitor
//! ```
//!
//! As FastCGI it is started once: descriptor 0 is a socket that listens, and the server connects to it and
//! sends requests, cut into records, for as long as the program lives. So it can count.
//!
//! ```text
//! tollgate -f '/visitor/=exec:cgi-bin/visitor'    # http://127.0.0.1:8080/visitor/
//! ```
//!
//! It may also be started by another, who gives it the socket: `spawn-fcgi -n -s v.sock cgi-bin/visitor`,
//! and `tollgate -f /visitor/=unix:v.sock`.
//!
//! [`main`] tells which of the two it is, [`cgi`] and [`fastcgi`] fetch a [`Request`], and [`page`] answers
//! it and knows nothing of the difference. Most languages have a library for [`fastcgi`]; here it is
//! written out, with the numbers of the FastCGI specification 1.0.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Error, ErrorKind, Read, Write};
use std::process;

use rustix::io::Errno;
use rustix::net::{accept, getpeername};

/// The variables of a request and its body.
#[derive(Default)]
struct Request {
    variables: BTreeMap<String, String>,
    /// At most [`LONGEST`] bytes.
    body: Vec<u8>,
}

impl Request {
    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    fn content_length(&self) -> usize {
        self.variable("CONTENT_LENGTH").parse().unwrap_or(0)
    }
}

/// The longest body, in bytes: memory has an end, so input needs one.
const LONGEST: usize = 1024 * 1024;

/// What the page shows.
const SHOWN: &str = "REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING HTTP_USER_AGENT";

fn main() -> io::Result<()> {
    // A listening socket is connected to nobody. A pipe or a file is no socket, and says that instead.
    match getpeername(rustix::stdio::stdin()) {
        Err(Errno::NOTCONN) => fastcgi(),
        _ => cgi(),
    }
}

/// The whole reply: a header, a blank line, the page. The same for both ways.
fn page(request: &Request, visitor: u64) -> String {
    let length = request.content_length();
    if length > LONGEST {
        return format!(
            "Status: 413 Content Too Large\nContent-Type: text/plain\n\nAt most {LONGEST} bytes, please.\n"
        );
    }
    let mut page =
        "Content-Type: text/plain; charset=utf-8\nCache-Control: no-store\n\n".to_string();
    page += &format!(
        "You are visitor {visitor} of process {}.\n\n",
        process::id()
    );
    for name in SHOWN.split(' ') {
        page += &format!("{name:16} {}\n", request.variable(name));
    }
    if request.variable("REQUEST_METHOD") == "POST" {
        let read = request.body.len();
        page += &format!("\nYour form has {length} bytes, and I have read {read}.\n");
    }
    page
}

/// One request, from the environment and standard input.
fn cgi() -> io::Result<()> {
    let mut request = Request::default();
    let text = |text: OsString| text.to_string_lossy().into_owned();
    request.variables = env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    // CONTENT_LENGTH says how much to read: a server need not close the input behind it.
    let length = request.content_length().min(LONGEST) as u64;
    io::stdin().take(length).read_to_end(&mut request.body)?;
    io::stdout().write_all(page(&request, 1).as_bytes())
}

// The types of records, and what else has a number.
const BEGIN_REQUEST: u8 = 1;
const ABORT_REQUEST: u8 = 2;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const GET_VALUES: u8 = 9;
const GET_VALUES_RESULT: u8 = 10;
const UNKNOWN_TYPE: u8 = 11;
const ROLE_RESPONDER: u8 = 1;
const FLAG_KEEP_CONN: u8 = 1;
const REQUEST_COMPLETE: u8 = 0;
const CANT_MPX_CONN: u8 = 1;
const UNKNOWN_ROLE: u8 = 3;

/// The smallest piece of a conversation. All records of a request have its id; 0 is for none.
struct Record {
    kind: u8,
    id: u16,
    content: Vec<u8>,
}

/// A request of which not all records have come.
struct Arriving {
    id: u16,
    keep_connection: bool,
    params: Vec<u8>,
    request: Request,
}

/// Requests without end, one connection after the other.
fn fastcgi() -> io::Result<()> {
    let mut visitors = 0;
    loop {
        match accept(rustix::stdio::stdin()) {
            // A server that goes away in the middle is no reason to go too.
            Ok(connection) => {
                if let Err(error) = converse(&File::from(connection), &mut visitors) {
                    eprintln!("visitor: {error}");
                }
            }
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The requests of one connection, one after the other, until one of both sides closes it.
fn converse(connection: &File, visitors: &mut u64) -> io::Result<()> {
    let (mut input, mut output) = (BufReader::new(connection), connection);
    let mut arriving: Option<Arriving> = None;
    while let Some(Record { kind, id, content }) = read_record(&mut input)? {
        match (kind, &mut arriving) {
            (BEGIN_REQUEST, Some(_)) => output.write_all(&end_request(id, CANT_MPX_CONN))?,
            (BEGIN_REQUEST, None) => match content[..] {
                [0, ROLE_RESPONDER, flags, ..] => {
                    arriving = Some(Arriving {
                        id,
                        keep_connection: flags & FLAG_KEEP_CONN != 0,
                        params: Vec::new(),
                        request: Request::default(),
                    });
                }
                _ => output.write_all(&end_request(id, UNKNOWN_ROLE))?,
            },
            // A stream is any number of records, and an empty one at its end.
            (PARAMS, Some(now)) if now.id == id => match content[..] {
                [] => now.request.variables = pairs(&now.params).ok_or(ErrorKind::InvalidData)?,
                _ => now.params.extend_from_slice(&content),
            },
            (STDIN, Some(now)) if now.id == id && !content.is_empty() => {
                let room = LONGEST - now.request.body.len();
                now.request.body.extend(content.iter().take(room));
            }
            (STDIN | ABORT_REQUEST, Some(now)) if now.id == id => {
                let mut reply = Vec::new();
                if kind == STDIN {
                    *visitors += 1;
                    for piece in page(&now.request, *visitors).as_bytes().chunks(0xffff) {
                        reply.append(&mut record(STDOUT, id, piece));
                    }
                    reply.append(&mut record(STDOUT, id, b""));
                }
                reply.append(&mut end_request(id, REQUEST_COMPLETE));
                output.write_all(&reply)?;
                // Without the flag the server waits for us to close.
                if !now.keep_connection {
                    return Ok(());
                }
                arriving = None;
            }
            // The server asks for limits: we name none.
            (GET_VALUES, _) if id == 0 => output.write_all(&record(GET_VALUES_RESULT, 0, b""))?,
            (_, _) if id == 0 => {
                let body = [kind, 0, 0, 0, 0, 0, 0, 0];
                output.write_all(&record(UNKNOWN_TYPE, 0, &body))?;
            }
            // Of a request that has ended: late, and no fault.
            _ => {}
        }
    }
    Ok(())
}

/// The next record; `None` where the connection ends.
fn read_record(input: &mut impl Read) -> io::Result<Option<Record>> {
    let mut header = [0; 8];
    match input.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let [version, kind, id1, id0, length1, length0, padding, _] = header;
    if version != 1 {
        return Err(Error::other("this is not FastCGI 1.0"));
    }
    let length = usize::from(u16::from_be_bytes([length1, length0]));
    let mut content = vec![0; length + usize::from(padding)];
    input.read_exact(&mut content)?;
    content.truncate(length);
    let id = u16::from_be_bytes([id1, id0]);
    Ok(Some(Record { kind, id, content }))
}

/// The bytes of a record with at most 65,535 bytes of content.
fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let ([id1, id0], [length1, length0]) = (id.to_be_bytes(), (content.len() as u16).to_be_bytes());
    [&[1, kind, id1, id0, length1, length0, 0, 0], content].concat()
}

fn end_request(id: u16, protocol_status: u8) -> Vec<u8> {
    record(END_REQUEST, id, &[0, 0, 0, 0, protocol_status, 0, 0, 0])
}

/// Names and values: two lengths, then both texts. `None` where something is missing.
fn pairs(mut bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    while !bytes.is_empty() {
        let (name_len, value_len) = (length(&mut bytes)?, length(&mut bytes)?);
        let (name, rest) = bytes.split_at_checked(name_len)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        pairs.insert(text(name), text(value));
        bytes = rest;
    }
    Some(pairs)
}

/// A length up to 127 is one byte; a longer one is four, the first of which has its top bit set.
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (length, rest) = match *bytes {
        [one @ 0..0x80, rest @ ..] => (u32::from(*one), rest),
        [a, b, c, d, rest @ ..] => (u32::from_be_bytes([a & 0x7f, *b, *c, *d]), rest),
        _ => return None,
    };
    *bytes = rest;
    usize::try_from(length).ok()
}
