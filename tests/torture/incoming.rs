//! An answer as it comes in, of which no more is kept than its head: bodies are counted.

/// The longest head of an answer.
const HEAD_MAX: usize = 8 << 10;

/// What ends a chunked body without trailers, with the end of the line before it.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    head: Vec<u8>,
    received: u64,
    body: Body,
}

#[derive(Debug, Default)]
enum Body {
    /// The head is not whole.
    #[default]
    Before,
    Length {
        left: u64,
    },
    /// The last bytes of it.
    Chunked {
        tail: Vec<u8>,
    },
    /// Until the connection is closed.
    UntilClose,
}

impl Incoming {
    /// How many bytes came, head and all.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The status code; 0 while there is none.
    pub(crate) fn status(&self) -> u16 {
        let line = String::from_utf8_lossy(&self.head);
        let mut words = line.split_ascii_whitespace().skip(1);
        words.next().and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    /// Whether the head has a field of this name, in small letters.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    fn field(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(other, _)| *other == name)?;
        Some(value.trim().to_owned())
    }

    /// Whether all of it came.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.body {
            Body::Length { left } => *left == 0,
            Body::Chunked { tail } => tail == LAST_CHUNK,
            Body::Before | Body::UntilClose => false,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        let mut bytes = bytes;
        if matches!(self.body, Body::Before) {
            let before = self.head.len();
            self.head.extend_from_slice(bytes);
            let Some(end) = self.head.windows(4).position(|it| it == b"\r\n\r\n") else {
                assert!(self.head.len() <= HEAD_MAX, "a head without an end");
                return;
            };
            bytes = &bytes[end + 4 - before..];
            self.head.truncate(end + 2);
            self.body = match (self.field("content-length"), self.status()) {
                (_, 204 | 304) => Body::Length { left: 0 },
                (Some(length), _) => Body::Length {
                    left: length.parse().unwrap(),
                },
                (None, _) if self.has_field("transfer-encoding") => Body::Chunked {
                    // A body of no chunk has no line before it.
                    tail: b"\r\n".to_vec(),
                },
                (None, _) => Body::UntilClose,
            };
        }
        match &mut self.body {
            Body::Length { left } => {
                let count = bytes.len() as u64;
                assert!(count <= *left, "more than the answer came");
                *left -= count;
            }
            Body::Chunked { tail } => {
                let keep = bytes.len().min(LAST_CHUNK.len());
                tail.extend_from_slice(&bytes[bytes.len() - keep..]);
                let excess = tail.len().saturating_sub(LAST_CHUNK.len());
                tail.drain(..excess);
            }
            Body::Before | Body::UntilClose => {}
        }
    }
}
