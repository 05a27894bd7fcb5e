//! Decodes and encodes the chunked transfer coding.
//!
//! Source: RFC 9112 section 7.1.
//! Shape: the bytes of a connection in, in whatever pieces they come; slices of them that are the
//! body out. Nothing is copied or kept but a few numbers.
//! Rules, all for security, because a chunk that two servers measure differently hides a request:
//! - A size is hexadecimal digits alone (no sign, `0x`, `_` or space before it) and fits 64 bits.
//! - A line ends in CR LF; a bare LF or CR is refused everywhere, in extensions and trailers too.
//! - A size line has at most 256 bytes and the trailer section at most 8 KiB. Extensions mean nothing
//!   to us; trailer fields are checked like header fields and dropped, never merged into the head.
//!
//! Not here: how long a body may be; where it is kept.

use crate::proto::Reason;
use crate::proto::grammar::is_field_content;
use crate::proto::http::head::FieldSection;

/// What ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a chunked body that has no trailer fields.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The longest line that begins a chunk.
pub const CHUNK_SIZE_LEN: usize = 16 + CHUNK_END.len();

/// Makes the line that begins a chunk of `len` bytes, which is followed by them and [`CHUNK_END`].
///
/// `len` is not 0: that would be the last chunk.
pub fn encode_chunk_size(line: &mut [u8; CHUNK_SIZE_LEN], len: u64) -> &[u8] {
    debug_assert_ne!(len, 0, "an empty chunk ends the body");
    // 16 at most.
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4) as usize;
    for (place, digit) in line.iter_mut().zip((0..digits).rev()) {
        *place = b"0123456789abcdef"[(len >> (digit * 4)) as usize & 0xf];
    }
    let line = &mut line[..digits + CHUNK_END.len()];
    line[digits..].copy_from_slice(CHUNK_END);
    line
}

/// What [`ChunkedDecoder::step`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'i> {
    /// A part of the body.
    Data {
        /// The part; never empty, and seldom all there is.
        bytes: &'i [u8],
        /// How many bytes of the input are done with, `bytes` among them.
        used: usize,
    },
    /// The input is done with; more bytes are needed.
    Partial {
        /// How many bytes of the input are done with: all.
        used: usize,
    },
    /// The body has ended.
    End {
        /// How many bytes of the input are done with; what follows belongs to the next request.
        used: usize,
    },
}

/// Decodes one chunked body.
#[derive(Debug, Clone, Default)]
pub struct ChunkedDecoder {
    place: Place,
    /// The chunk's size as far as it was read, then how much of its data is still to come.
    left: u64,
    /// The length of the size line, or of the trailer section, so far.
    line_len: usize,
}

/// Where in the body the next byte falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    SizeStart,
    Size,
    /// In the whitespace between a size and the semicolon of an extension.
    SizeGap,
    Extension,
    /// After the CR of a size line.
    SizeEnd,
    Data,
    /// After the data.
    DataEnd,
    /// After the CR that follows the data.
    ChunkEnd,
    Trailer(FieldSection),
}

impl ChunkedDecoder {
    /// Decodes until a part of the body, its end, or the end of `input`. The caller drops the `used`
    /// bytes and calls again with what is left, until `End`; after that nothing more is used.
    ///
    /// Errors: `FramingChunkSize`, `FramingChunkLine`, `FramingTrailer`. The decoder and the
    /// connection are of no use after one.
    ///
    /// ```
    /// use tollgate::proto::http::chunked::{ChunkedDecoder, Step};
    ///
    /// let mut decoder = ChunkedDecoder::default();
    /// assert_eq!(decoder.step(b"5\r\nhel"), Ok(Step::Data { bytes: b"hel", used: 6 }));
    /// assert_eq!(decoder.step(b"lo\r\n"), Ok(Step::Data { bytes: b"lo", used: 2 }));
    /// assert_eq!(decoder.step(b"\r\n"), Ok(Step::Partial { used: 2 }));
    /// assert_eq!(decoder.step(b"0\r\n\r\nGET"), Ok(Step::End { used: 5 }));
    /// ```
    pub fn step<'i>(&mut self, input: &'i [u8]) -> Result<Step<'i>, Reason> {
        let mut used = 0;
        loop {
            match (self.place, input.get(used)) {
                (Place::Trailer(FieldSection::End), _) => return Ok(Step::End { used }),
                (_, None) => return Ok(Step::Partial { used }),
                (Place::Data, Some(_)) => {
                    let bytes = self.take_data(&input[used..]);
                    return Ok(Step::Data {
                        bytes,
                        used: used + bytes.len(),
                    });
                }
                (_, Some(&byte)) => self.place = self.after(byte)?,
            }
            used += 1;
        }
    }

    /// How many bytes of data are still to come in the present chunk, as its size says; none where that
    /// is not read to its end.
    pub fn announced(&self) -> u64 {
        match self.place {
            Place::Data => self.left,
            _ => 0,
        }
    }

    fn take_data<'i>(&mut self, input: &'i [u8]) -> &'i [u8] {
        let len = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        self.left -= len as u64;
        if self.left == 0 {
            self.place = Place::DataEnd;
        }
        &input[..len]
    }

    /// Returns the place after `byte`, which is not data.
    fn after(&mut self, byte: u8) -> Result<Place, Reason> {
        self.line_len += 1;
        if let Place::Trailer(section) = self.place {
            return match section.after(byte, usize::MAX) {
                Ok(section) if self.line_len <= MAX_TRAILER_LEN => Ok(Place::Trailer(section)),
                _ => Err(Reason::FramingTrailer),
            };
        }
        if self.line_len > MAX_LINE_LEN {
            return Err(Reason::FramingChunkLine);
        }
        Ok(match (self.place, byte) {
            (Place::SizeStart | Place::Size, _) if byte.is_ascii_hexdigit() => {
                self.left = append_digit(self.left, byte).ok_or(Reason::FramingChunkSize)?;
                Place::Size
            }
            (Place::Size | Place::SizeGap, b' ' | b'\t') => Place::SizeGap,
            (Place::Size | Place::SizeGap, b';') => Place::Extension,
            (Place::Extension, _) if is_field_content(byte) => Place::Extension,
            (Place::Size | Place::Extension, b'\r') => Place::SizeEnd,
            (Place::SizeEnd, b'\n') => {
                self.line_len = 0;
                match self.left {
                    0 => Place::Trailer(FieldSection::LineStart(0)),
                    _ => Place::Data,
                }
            }
            (Place::DataEnd, b'\r') => Place::ChunkEnd,
            (Place::ChunkEnd, b'\n') => {
                self.line_len = 0;
                Place::SizeStart
            }
            (Place::Size, b'\n') => return Err(Reason::FramingChunkLine),
            (Place::SizeStart | Place::Size, _) => return Err(Reason::FramingChunkSize),
            _ => return Err(Reason::FramingChunkLine),
        })
    }
}

fn append_digit(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(digit.into())
}

/// The most bytes of a size line, its CR LF included.
const MAX_LINE_LEN: usize = 256;

/// The most bytes of a trailer section, its empty line included.
const MAX_TRAILER_LEN: usize = 8 * 1024;

#[cfg(test)]
mod tests;
