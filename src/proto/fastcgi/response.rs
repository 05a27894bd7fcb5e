//! Decodes what an application answers.
//!
//! Source: FastCGI 1.0 sections 3.3, 4, 5.3, 5.5, 6.1; who sends what is in its appendix A.
//! Shape: the bytes of a connection in, in whatever pieces they come; slices of them that are of one
//! of the two streams out, and the end of the request. Nothing is copied or kept but eight bytes.
//! Rules:
//! - FCGI_END_REQUEST alone ends a response. PHP sends no empty STDOUT record before it, so that the
//!   ends of the streams mean nothing here; and without it what came is cut, whatever it looks like.
//! - Security: a record of another request, or of a type that an application does not send, is
//!   refused and not skipped. A kept connection that is out of step would give one client's response
//!   to another. For the same reason nothing may follow the end, and the end is told only when the
//!   padding of its record is gone too.
//! - A management record may come at any time and changes nothing.
//!
//! Not here: what the output means (cgi/response.rs), and what is done about a failure.

use crate::proto::Reason;

use super::record::{EndRequest, HEADER_LEN, MANAGEMENT_ID, RecordHeader, RecordType, VERSION};
use super::request::REQUEST_ID;

/// What [`ResponseDecoder::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part of the output; never empty, and seldom all there is.
    Stdout(&'a [u8]),
    /// A part of the complaints; never empty.
    Stderr(&'a [u8]),
    /// The request has ended, and its last record with it.
    End(EndRequest),
    /// A management record of this unknown type came, which may be answered with
    /// [`encode_unknown_type`](super::request::encode_unknown_type).
    UnknownManagement(u8),
}

/// Decodes the answer to one request.
#[derive(Debug, Clone, Default)]
pub struct ResponseDecoder {
    place: Place,
    /// The header, or the content of END_REQUEST, as far as it came.
    held: [u8; HEADER_LEN],
    held_len: usize,
    /// How much content and padding of the record is still to come.
    content_left: usize,
    padding_left: usize,
}

// One array holds both.
const _: () = assert!(EndRequest::LEN == HEADER_LEN);

/// Where in the response the next byte falls.
#[derive(Debug, Clone, Copy, Default)]
enum Place {
    #[default]
    Header,
    Content(Content),
    /// With what is to be told when the record is over.
    Padding(Option<Event<'static>>),
    /// After the end.
    Ended,
}

/// What the content of a record is.
#[derive(Debug, Clone, Copy)]
enum Content {
    Stdout,
    Stderr,
    EndRequest,
    /// Of a management record that asks for nothing.
    Skipped,
    UnknownManagement(u8),
}

impl ResponseDecoder {
    /// Takes bytes from the front of `input` until they tell something, or all are used: `None`.
    ///
    /// After `End` nothing more is taken.
    ///
    /// **Errors** (all 502, and the same again however often it is asked):
    /// [`Reason::FastcgiVersion`] at a record's first byte; [`Reason::FastcgiRequestId`] for an id
    /// that is neither 0 nor [`REQUEST_ID`]; [`Reason::FastcgiRecordType`] for a type that is not
    /// sent by applications, or not with that id; [`Reason::FastcgiEndRequest`] for an end that is not
    /// of eight bytes or has an unknown protocol status, and for bytes after it.
    ///
    /// ```
    /// use tollgate::proto::fastcgi::response::{Event, ResponseDecoder};
    ///
    /// let mut decoder = ResponseDecoder::default();
    /// let mut input = &b"\x01\x06\0\x01\0\x05\x03\0hel"[..];
    /// assert_eq!(decoder.next(&mut input), Ok(Some(Event::Stdout(b"hel"))));
    /// assert_eq!(decoder.next(&mut input), Ok(None));
    ///
    /// let mut input = &b"lo\0\0\0\x01\x03\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0"[..];
    /// assert_eq!(decoder.next(&mut input), Ok(Some(Event::Stdout(b"lo"))));
    /// assert!(matches!(decoder.next(&mut input), Ok(Some(Event::End(end))) if end.app_status == 0));
    /// assert_eq!(decoder.next(&mut input), Ok(None));
    /// ```
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Reason> {
        loop {
            match self.place {
                Place::Header => match self.take_header(input)? {
                    Some(header) => self.enter(header)?,
                    None => return Ok(None),
                },
                Place::Content(content) => {
                    let bytes = take(input, self.content_left);
                    self.content_left -= bytes.len();
                    match content {
                        Content::Stdout if !bytes.is_empty() => {
                            return Ok(Some(Event::Stdout(bytes)));
                        }
                        Content::Stderr if !bytes.is_empty() => {
                            return Ok(Some(Event::Stderr(bytes)));
                        }
                        Content::EndRequest => self.hold(bytes),
                        _ => {}
                    }
                    if self.content_left > 0 {
                        return Ok(None);
                    }
                    self.place = Place::Padding(self.outcome(content)?);
                }
                Place::Padding(event) => {
                    self.padding_left -= take(input, self.padding_left).len();
                    if self.padding_left > 0 {
                        return Ok(None);
                    }
                    self.held_len = 0;
                    self.place = match event {
                        Some(Event::End(_)) => Place::Ended,
                        _ => Place::Header,
                    };
                    if event.is_some() {
                        return Ok(event);
                    }
                }
                Place::Ended if input.is_empty() => return Ok(None),
                Place::Ended => return Err(Reason::FastcgiEndRequest),
            }
        }
    }

    /// Takes as much of the header as there is. Its version is looked at as soon as it is there: a
    /// peer that speaks something else may never send eight bytes.
    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<RecordHeader>, Reason> {
        self.hold(take(input, HEADER_LEN - self.held_len));
        match self.held_len {
            0 => Ok(None),
            HEADER_LEN => RecordHeader::decode(&self.held).map(Some),
            _ if self.held[0] != VERSION => Err(Reason::FastcgiVersion),
            _ => Ok(None),
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held[self.held_len..][..bytes.len()].copy_from_slice(bytes);
        self.held_len += bytes.len();
    }

    /// Goes on to the content, if that record may come.
    fn enter(&mut self, header: RecordHeader) -> Result<(), Reason> {
        let content = content_of(header)?;
        self.place = Place::Content(content);
        self.held_len = 0;
        self.content_left = header.content_len.into();
        self.padding_left = header.padding_len.into();
        Ok(())
    }

    /// What a record tells whose content is there.
    fn outcome(&self, content: Content) -> Result<Option<Event<'static>>, Reason> {
        Ok(match content {
            Content::EndRequest => Some(Event::End(EndRequest::decode(&self.held)?)),
            Content::UnknownManagement(record_type) => Some(Event::UnknownManagement(record_type)),
            Content::Stdout | Content::Stderr | Content::Skipped => None,
        })
    }
}

fn content_of(header: RecordHeader) -> Result<Content, Reason> {
    let record_type = RecordType::try_from(header.record_type);
    match (header.request_id, record_type) {
        (MANAGEMENT_ID, Err(unknown)) => Ok(Content::UnknownManagement(unknown)),
        (MANAGEMENT_ID, Ok(RecordType::GetValuesResult | RecordType::UnknownType)) => {
            Ok(Content::Skipped)
        }
        (MANAGEMENT_ID, Ok(_)) => Err(Reason::FastcgiRecordType),
        (REQUEST_ID, Ok(RecordType::Stdout)) => Ok(Content::Stdout),
        (REQUEST_ID, Ok(RecordType::Stderr)) => Ok(Content::Stderr),
        (REQUEST_ID, Ok(RecordType::EndRequest)) => {
            if usize::from(header.content_len) == EndRequest::LEN {
                Ok(Content::EndRequest)
            } else {
                Err(Reason::FastcgiEndRequest)
            }
        }
        (REQUEST_ID, _) => Err(Reason::FastcgiRecordType),
        (_, _) => Err(Reason::FastcgiRequestId),
    }
}

/// Takes bytes from the front, `most` of them if there are as many.
fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests;
