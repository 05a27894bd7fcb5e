//! A client that sends exactly the bytes it is given and takes nothing on trust.
//!
//! Rules: every wait has an end ([`PATIENCE`]); a response that breaks RFC 9112 in any way fails the
//! test that received it, and so does a byte after a response that nobody asked for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use super::PATIENCE;

/// How the body of a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its framing says it should.
    Clean,
    /// Before that: the client can tell that something is missing.
    Cut,
}

/// How a response says where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    NoBody,
    Length(usize),
    Chunked,
    UntilClose,
}

/// A response, with its body freed of framing.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) phrase: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) framing: Framing,
    pub(crate) ended: Ended,
}

impl Response {
    /// The value of a field that is there at most once.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(
            values.len() <= 1,
            "{name} is there {} times: {self:?}",
            values.len()
        );
        values.first().copied()
    }

    /// The values of all fields of that name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let same = self
            .fields
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The body, which has to be whole and UTF-8.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.ended, Ended::Clean, "the response is cut: {self:?}");
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// The bytes of an HTTP/1.1 request; `fields` are whole lines ("Name: value"). A body brings its
/// Content-Length.
pub(crate) fn request(method: &str, target: &str, fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: tollgate.test\r\n");
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Stream,
    /// What was received and not yet taken.
    received: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    /// Connects to `http://HOST:PORT/` or `unix:PATH`.
    pub(crate) fn connect(address: &str) -> Client {
        Client::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Connects to `http://HOST:PORT/` as a client of another address of this machine.
    pub(crate) fn connect_from(source: [u8; 4], address: &str) -> Client {
        let to: SocketAddr = address
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .unwrap();
        // Without CLOEXEC the servers that tests start would hold the connection open.
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::from((source, 0))).unwrap();
        connect(&socket, &to).unwrap();
        Client::over(socket.into()).unwrap()
    }

    pub(crate) fn try_connect(address: &str) -> io::Result<Client> {
        let stream = if let Some(path) = address.strip_prefix("unix:") {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Stream::Unix(stream)
        } else {
            let authority = address.trim_start_matches("http://").trim_end_matches('/');
            return Client::over(TcpStream::connect(authority)?);
        };
        Ok(Client {
            stream,
            received: Vec::new(),
        })
    }

    fn over(stream: TcpStream) -> io::Result<Client> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream: Stream::Tcp(stream),
            received: Vec::new(),
        })
    }

    /// The same connection, to send on it from another thread.
    pub(crate) fn another_handle(&self) -> Client {
        let stream = match &self.stream {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone().unwrap()),
            Stream::Unix(stream) => Stream::Unix(stream.try_clone().unwrap()),
        };
        Client {
            stream,
            received: Vec::new(),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// Sends, and says whether the server still took it.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes.as_ref()),
            Stream::Unix(stream) => stream.write_all(bytes.as_ref()),
        }
    }

    /// Sends in segments of `size` bytes.
    #[track_caller]
    pub(crate) fn send_in_pieces(&mut self, bytes: impl AsRef<[u8]>, size: usize) {
        for piece in bytes.as_ref().chunks(size) {
            self.send(piece);
            // Another thread is to see the piece alone; nothing fails if it does not.
            std::thread::yield_now();
        }
    }

    /// Says that nothing more will be sent; answers can still be received.
    pub(crate) fn half_close(&self) {
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write).unwrap(),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write).unwrap(),
        }
    }

    /// Ends the connection with a reset, which, unlike a plain close, no half-closed client sends.
    pub(crate) fn reset(self) {
        let no_time = Some(Duration::ZERO);
        match &self.stream {
            Stream::Tcp(stream) => sockopt::set_socket_linger(stream, no_time).unwrap(),
            Stream::Unix(_) => panic!("a unix socket knows no reset"),
        }
    }

    /// Receives until `text` has come, and takes nothing of it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        while find(&self.received, text.as_bytes()).is_none() {
            let more = self.receive().expect("a connection that is not reset");
            let so_far = String::from_utf8_lossy(&self.received).into_owned();
            assert!(
                more,
                "the connection was closed before {text:?} came; it gave {so_far:?}"
            );
        }
    }

    /// What has been received and not taken.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.received
    }

    /// Reads the response to a request with that method (a response to HEAD has no body).
    #[track_caller]
    pub(crate) fn read_response(&mut self, method: &str) -> Response {
        self.try_read_response(method)
            .unwrap_or_else(|ended| panic!("no response: {ended}"))
    }

    /// The same; how the connection ended, where it did so before a head was whole.
    #[track_caller]
    pub(crate) fn try_read_response(&mut self, method: &str) -> Result<Response, String> {
        let head_len = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            match self.receive_within() {
                Ok(true) => {}
                ended => {
                    let seen = String::from_utf8_lossy(&self.received);
                    return Err(format!("{ended:?} after {seen:?}"));
                }
            }
        };
        let head: Vec<u8> = self.received.drain(..head_len).collect();
        let mut response = parse_head(&head[..head_len - 4]);
        response.framing = framing(&response, method);
        (response.body, response.ended) = match response.framing {
            Framing::NoBody => (Vec::new(), Ended::Clean),
            Framing::Length(length) => self.read_length(length),
            Framing::Chunked => self.read_chunks(),
            Framing::UntilClose => self.read_until_close(),
        };
        Ok(response)
    }

    /// Fails unless the server closes the connection without another byte.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        // Closing while the client still sends may reach it as a reset.
        while let Ok(true) = self.receive_within() {}
        let extra = String::from_utf8_lossy(&self.received);
        assert!(extra.is_empty(), "more than the response came: {extra:?}");
    }

    /// All bytes until the connection is closed.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while let Ok(true) = self.receive_within() {}
        std::mem::take(&mut self.received)
    }

    fn read_length(&mut self, length: usize) -> (Vec<u8>, Ended) {
        while self.received.len() < length {
            if !matches!(self.receive_within(), Ok(true)) {
                return (std::mem::take(&mut self.received), Ended::Cut);
            }
        }
        (self.received.drain(..length).collect(), Ended::Clean)
    }

    fn read_until_close(&mut self) -> (Vec<u8>, Ended) {
        let ended = loop {
            match self.receive_within() {
                Ok(true) => {}
                Ok(false) => break Ended::Clean,
                Err(_) => break Ended::Cut,
            }
        };
        (std::mem::take(&mut self.received), ended)
    }

    fn read_chunks(&mut self) -> (Vec<u8>, Ended) {
        let mut body = Vec::new();
        loop {
            let Some(line) = self.read_line() else {
                return (body, Ended::Cut);
            };
            let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(digits, "not a chunk-size: {line:?}");
            let size = usize::from_str_radix(&line, 16).unwrap();
            let (piece, ended) = self.read_length(size);
            body.extend_from_slice(&piece);
            if ended == Ended::Cut {
                return (body, Ended::Cut);
            }
            match self.read_line() {
                Some(line) => assert_eq!(line, "", "after a chunk of {size} bytes"),
                None => return (body, Ended::Cut),
            }
            if size == 0 {
                return (body, Ended::Clean);
            }
        }
    }

    /// A line without its CR LF; `None` when the connection ended first.
    fn read_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            if !matches!(self.receive_within(), Ok(true)) {
                return None;
            }
        }
    }

    /// As [`Client::receive`], but a wait that is too long fails the test: it is no end.
    #[track_caller]
    fn receive_within(&mut self) -> io::Result<bool> {
        let result = self.receive();
        if let Err(error) = &result {
            let too_long = error.kind() == io::ErrorKind::WouldBlock;
            assert!(
                !too_long,
                "nothing came for {PATIENCE:?}, nor was the connection closed"
            );
        }
        result
    }

    /// Receives some bytes; `false` at the end.
    fn receive(&mut self) -> io::Result<bool> {
        let mut piece = [0; 64 * 1024];
        let count = loop {
            let read = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(&mut piece),
                Stream::Unix(stream) => stream.read(&mut piece),
            };
            match read {
                // A machine that is paused and goes on interrupts calls that have a time-out.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.received.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}

/// A status line and field lines without the blank line, everything as RFC 9112 has it.
fn parse_head(head: &[u8]) -> Response {
    // Field values may hold any byte; each becomes one character.
    let text: String = head.iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap();
    let (version, rest) = status_line.split_once(' ').unwrap();
    let (status, phrase) = rest.split_once(' ').unwrap();
    assert!(
        version == "HTTP/1.1" || version == "HTTP/1.0",
        "{status_line:?}"
    );
    assert!(status.len() == 3, "{status_line:?}");
    let fields = lines.map(|line| {
        let (name, value) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("no colon: {line:?}"));
        let token = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        assert!(
            !name.is_empty() && name.chars().all(token),
            "not a field name: {line:?}"
        );
        let control = |letter: char| letter.is_ascii_control() && letter != '\t';
        assert!(!value.contains(control), "a control character: {line:?}");
        (
            name.to_string(),
            value.trim_matches([' ', '\t']).to_string(),
        )
    });
    Response {
        version: version.to_string(),
        status: status.parse().unwrap(),
        phrase: phrase.to_string(),
        fields: fields.collect(),
        body: Vec::new(),
        framing: Framing::NoBody,
        ended: Ended::Clean,
    }
}

/// RFC 9112 section 6.3, for what a client may be sent.
fn framing(response: &Response, method: &str) -> Framing {
    let length = response.field("Content-Length").map(|value| {
        assert!(
            value.bytes().all(|byte| byte.is_ascii_digit()),
            "Content-Length: {value}"
        );
        value.parse().unwrap()
    });
    let coding = response.field("Transfer-Encoding");
    assert!(
        length.is_none() || coding.is_none(),
        "both lengths: {response:?}"
    );
    let bodiless = matches!(response.status, 100..=199 | 204 | 304);
    if bodiless && response.status != 304 {
        assert!(
            length.is_none() && coding.is_none(),
            "a length without a body: {response:?}"
        );
    }
    if bodiless || method == "HEAD" {
        return Framing::NoBody;
    }
    match (length, coding) {
        (Some(length), _) => Framing::Length(length),
        (None, Some(coding)) => {
            assert_eq!(coding, "chunked");
            assert_eq!(response.version, "HTTP/1.1");
            Framing::Chunked
        }
        (None, None) => Framing::UntilClose,
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
