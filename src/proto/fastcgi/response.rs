//! What an application answers: STDOUT, STDERR and END_REQUEST.
//!
//! Source: the FastCGI specification, sections 3.3, 4.2, 5.3, 5.5 and appendix A.
//! Shape: bytes in, as they come; [`Event`]s out, which borrow from them. Nothing is gathered but a header
//! and the content of END_REQUEST.
//! Rules: the events are the same however the bytes were cut into pieces. Borders of records mean
//! nothing, padding is skipped, an empty record of a stream is its end and says nothing more: PHP sends
//! none before END_REQUEST, which is the only end of a request. Whatever an application may not send is
//! refused: another version, another request's id, a type that is unknown or goes the other way.
//! Management records that were not asked for are skipped; the server answers one of an unknown type.

use super::record::{EndRequest, HEADER_LEN, NULL_REQUEST_ID, RecordHeader, RecordType, VERSION};
use super::request::REQUEST_ID;
use crate::proto::Reason;

/// What an application said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next bytes of its output.
    Stdout(&'a [u8]),
    /// The next bytes of its complaints.
    Stderr(&'a [u8]),
    /// The request is over.
    End(EndRequest),
    /// A management record of this type, which is to be answered with UNKNOWN_TYPE.
    UnknownManagement(u8),
}

/// Takes the records of one request apart.
///
/// ```
/// use tollgate::proto::fastcgi::response::{Event, ResponseDecoder};
///
/// let mut input = &b"\x01\x06\0\x01\0\x02\x01\0hi\0\x01\x03\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0"[..];
/// let mut decoder = ResponseDecoder::default();
/// assert_eq!(decoder.next(&mut input), Ok(Some(Event::Stdout(b"hi"))));
/// assert!(matches!(decoder.next(&mut input), Ok(Some(Event::End(_)))));
/// assert_eq!(decoder.next(&mut input), Ok(None));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResponseDecoder {
    stage: Stage,
    /// The header, or the content of END_REQUEST, as far as it has come.
    gathered: [u8; HEADER_LEN],
    gathered_len: usize,
    /// What is left of the present record.
    content_left: usize,
    padding_left: usize,
    /// What its end says.
    pending: Option<Pending>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Header,
    Stdout,
    Stderr,
    End,
    Skipped,
    Over,
}

#[derive(Debug, Clone, Copy)]
enum Pending {
    End(EndRequest),
    UnknownManagement(u8),
}

impl ResponseDecoder {
    /// Takes from the front of `input` what makes the next event. `None`: all of it was used, and more is
    /// needed, or the request is over.
    ///
    /// **Errors** (all 502): [`Reason::FastcgiVersion`], [`Reason::FastcgiRequestId`],
    /// [`Reason::FastcgiRecordType`], and [`Reason::FastcgiEndRequest`] for one that is malformed or is
    /// followed by anything.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Reason> {
        loop {
            match self.stage {
                Stage::Header => {
                    if input.first().is_some_and(|&first| first != VERSION)
                        && self.gathered_len == 0
                    {
                        return Err(Reason::FastcgiVersion);
                    }
                    if !self.gather(input) {
                        return Ok(None);
                    }
                    self.begin_record()?;
                }
                Stage::Over if input.is_empty() => return Ok(None),
                Stage::Over => return Err(Reason::FastcgiEndRequest),
                Stage::End if self.content_left > 0 => {
                    if !self.gather(input) {
                        return Ok(None);
                    }
                    self.content_left = 0;
                    self.pending = Some(Pending::End(EndRequest::decode(self.gathered)?));
                }
                Stage::Skipped if self.content_left > 0 => {
                    if take(input, &mut self.content_left).is_empty() {
                        return Ok(None);
                    }
                }
                Stage::Stdout | Stage::Stderr if self.content_left > 0 => {
                    let bytes = take(input, &mut self.content_left);
                    return Ok(match (bytes, self.stage) {
                        (b"", _) => None,
                        (bytes, Stage::Stdout) => Some(Event::Stdout(bytes)),
                        (bytes, _) => Some(Event::Stderr(bytes)),
                    });
                }
                _ => {
                    if self.padding_left > 0 && take(input, &mut self.padding_left).is_empty() {
                        return Ok(None);
                    }
                    if self.padding_left > 0 {
                        continue;
                    }
                    self.stage = Stage::Header;
                    match self.pending.take() {
                        None => {}
                        Some(Pending::End(end)) => {
                            self.stage = Stage::Over;
                            return Ok(Some(Event::End(end)));
                        }
                        Some(Pending::UnknownManagement(record_type)) => {
                            return Ok(Some(Event::UnknownManagement(record_type)));
                        }
                    }
                }
            }
        }
    }

    /// Gathers eight bytes; true when they are there.
    fn gather(&mut self, input: &mut &[u8]) -> bool {
        let mut left = HEADER_LEN - self.gathered_len;
        let bytes = take(input, &mut left);
        let end = self.gathered_len + bytes.len();
        self.gathered[self.gathered_len..end].copy_from_slice(bytes);
        let is_whole = left == 0;
        self.gathered_len = if is_whole { 0 } else { end };
        is_whole
    }

    fn begin_record(&mut self) -> Result<(), Reason> {
        let header = RecordHeader::decode(self.gathered)?;
        self.content_left = header.content_len.into();
        self.padding_left = header.padding_len.into();
        let record_type = RecordType::try_from(header.record_type);
        self.stage = match (header.request_id, record_type) {
            (NULL_REQUEST_ID, Ok(RecordType::GetValuesResult | RecordType::UnknownType)) => {
                Stage::Skipped
            }
            (NULL_REQUEST_ID, Err(unknown)) => {
                self.pending = Some(Pending::UnknownManagement(unknown));
                Stage::Skipped
            }
            (NULL_REQUEST_ID, Ok(_)) => return Err(Reason::FastcgiRecordType),
            (id, _) if id != REQUEST_ID => return Err(Reason::FastcgiRequestId),
            (_, Ok(RecordType::Stdout)) => Stage::Stdout,
            (_, Ok(RecordType::Stderr)) => Stage::Stderr,
            (_, Ok(RecordType::EndRequest)) if header.content_len == 8 => Stage::End,
            (_, Ok(RecordType::EndRequest)) => return Err(Reason::FastcgiEndRequest),
            _ => return Err(Reason::FastcgiRecordType),
        };
        Ok(())
    }
}

/// Takes at most `left` bytes from the front.
fn take<'a>(input: &mut &'a [u8], left: &mut usize) -> &'a [u8] {
    let (taken, rest) = input.split_at((*left).min(input.len()));
    *input = rest;
    *left -= taken.len();
    taken
}
