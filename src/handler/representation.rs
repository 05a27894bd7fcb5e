//! A file made ready to be sent, and the answer that a request gets from it.
//!
//! Source: RFC 9110 sections 8 (representation fields), 13 (conditions) and 14 (ranges).
//! Shape: an [`Opened`] file → [`Representation`], the same whether its content lies in memory or
//! stays in the file; with a request → [`Response`] 200, 206, 304, 412 or 416.
//! Rules:
//! - The fields are put together once, in three stretches: what a 304 repeats (section 15.4.5), what
//!   a multipart 206 has as well, and Content-Type.
//! - The length that is announced is that of the content which is sent, not that of the file now.
//! - `X-Content-Type-Options: nosniff` stands on every file, so that an upload called `.txt` is not
//!   run as a page.
//!
//! Not here: finding the file (`static_file.rs`); what the conditions mean (`proto::http`).

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::handler::mime::MediaType;
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::http::conditional::{
    Conditions, Validators, Verdict, entity_tag, evaluate, http_date, if_range_holds, last_modified,
};
use crate::proto::http::head::RequestHead;
use crate::proto::http::negotiate::Coding;
use crate::proto::http::range::{
    ByteRange, Ranges, content_range, multipart, multipart_type, resolve, unsatisfied,
};
use crate::proto::http::response::ResponseHead;
use crate::proto::http::status::StatusCode;
use crate::sys::beneath::{Stat, read_whole};

/// A regular file that was opened below a root.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    /// What it is.
    pub stat: Stat,
    /// The path that it was opened by, below the root.
    pub path: Vec<u8>,
}

/// A file, or its precompressed neighbour, with the fields that it is sent with.
#[derive(Debug)]
pub struct Representation {
    /// The path that was opened.
    pub path: Box<[u8]>,
    /// What was opened.
    pub stat: Stat,
    /// The codings in which the file also lies beside itself.
    pub neighbours: Box<[Coding]>,
    media_type: MediaType,
    last_modified: u64,
    fields: Box<[u8]>,
    /// Where in `fields` the entity tag is.
    entity_tag: Range<usize>,
    /// Where in `fields` ends what a 304 repeats.
    validators_end: usize,
    /// Where in `fields` begins Content-Type.
    type_start: usize,
    content: Content,
}

/// Where the bytes are.
#[derive(Debug)]
enum Content {
    Memory(Arc<[u8]>),
    File(Arc<File>),
}

impl Representation {
    /// Makes a file ready at `now`, in seconds since the epoch; its content stays where it is.
    ///
    /// `coding` tells that the file is the neighbour in that coding of a file of `media_type`.
    pub fn new(
        opened: Opened,
        media_type: MediaType,
        coding: Option<Coding>,
        neighbours: &[Coding],
        now: u64,
    ) -> Representation {
        let Opened { file, stat, path } = opened;
        let modified = stat.modified;
        let entity_tag = entity_tag(stat.size, modified.seconds, modified.nanos, stat.inode);
        let last_modified = last_modified(modified.seconds, now);

        let mut head = ResponseHead::new(StatusCode::OK);
        head.field("ETag", &entity_tag);
        let tag_end = head.block.len() - b"\r\n".len();
        head.field("Last-Modified", http_date(last_modified));
        if !neighbours.is_empty() {
            head.field("Vary", "Accept-Encoding");
        }
        let validators_end = head.block.len();
        head.field("Accept-Ranges", "bytes");
        head.field("X-Content-Type-Options", "nosniff");
        if let Some(coding) = coding {
            head.field("Content-Encoding", coding.token());
        }
        let type_start = head.block.len();
        head.field("Content-Type", media_type.to_string());

        Representation {
            path: path.into(),
            stat,
            neighbours: neighbours.into(),
            media_type,
            last_modified,
            fields: head.block.into(),
            entity_tag: tag_end - entity_tag.len()..tag_end,
            validators_end,
            type_start,
            content: Content::File(Arc::new(file)),
        }
    }

    /// Reads the content into memory. Where the file has another length by now than when it was
    /// opened, that is an error of the kind `UnexpectedEof`.
    pub fn read(&mut self) -> io::Result<()> {
        if let Content::File(file) = &self.content {
            let content = read_whole(file, self.stat.size)?;
            self.content = Content::Memory(content.into());
        }
        Ok(())
    }

    /// Whether the file is open, and not read into memory.
    pub fn is_open(&self) -> bool {
        matches!(self.content, Content::File(_))
    }

    /// The bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let content = match &self.content {
            Content::Memory(content) => content.len(),
            Content::File(_) => 0,
        };
        size_of::<Representation>() + self.path.len() + self.fields.len() + content
    }

    fn entity_tag(&self) -> &[u8] {
        &self.fields[self.entity_tag.clone()]
    }

    /// What it is, without regard to how it lies on the disk.
    pub fn media_type(&self) -> MediaType {
        self.media_type
    }

    /// The whole content.
    pub fn body(&self) -> Body {
        match &self.content {
            _ if self.stat.size == 0 => Body::Empty,
            Content::Memory(content) => Body::Shared(Arc::clone(content)),
            Content::File(file) => Body::File {
                file: Arc::clone(file),
                first: 0,
                len: self.stat.size,
            },
        }
    }

    /// Answers a GET or HEAD request at `now`, in seconds since the epoch. The method stands apart,
    /// since after a local redirect it is not that of the request head.
    pub fn answer(&self, request: &RequestHead, method: &str, now: u64) -> Response {
        self.answer_as(None, request, method, now)
    }

    /// The same, with a media type in place of that of the file.
    pub fn answer_as(
        &self,
        media_type: Option<&[u8]>,
        request: &RequestHead,
        method: &str,
        now: u64,
    ) -> Response {
        let validators = Validators {
            entity_tag: self.entity_tag(),
            last_modified: self.last_modified,
            now,
        };
        match evaluate(&Conditions::from_fields(request.field_lines()), &validators) {
            Verdict::NotModified => {
                return respond(
                    StatusCode::NOT_MODIFIED,
                    &self.fields[..self.validators_end],
                    Body::Empty,
                );
            }
            Verdict::PreconditionFailed => return Response::refused(Reason::FilePrecondition),
            Verdict::Proceed => {}
        }
        match self.ranges(request, method, &validators) {
            Ranges::Ignore => self.respond_typed(StatusCode::OK, media_type, self.body()),
            Ranges::Satisfiable(ranges) => match ranges.as_slice() {
                [range] => self.respond_part(range, media_type),
                ranges => self.respond_parts(ranges, media_type),
            },
            Ranges::Unsatisfiable => {
                let mut response = Response::refused(Reason::FileRange);
                response
                    .head
                    .field("Content-Range", unsatisfied(self.stat.size));
                response
            }
        }
    }

    /// The whole file as an answer that is no representation of its own: without what could be
    /// asked for anew, in parts or under a condition.
    pub fn whole(&self, status: StatusCode, media_type: Option<&[u8]>) -> Response {
        let mut response = respond(status, b"", self.body());
        response.head.field("X-Content-Type-Options", "nosniff");
        match media_type {
            Some(media_type) => response.head.field("Content-Type", media_type),
            None => response
                .head
                .field("Content-Type", self.media_type.to_string()),
        }
        response
    }

    /// Range is defined for GET alone (RFC 9110 section 14.2).
    fn ranges(&self, request: &RequestHead, method: &str, validators: &Validators<'_>) -> Ranges {
        match request.field("Range") {
            Some(range)
                if method == "GET"
                    && request
                        .field("If-Range")
                        .is_none_or(|value| if_range_holds(value, validators)) =>
            {
                resolve(range, self.stat.size)
            }
            _ => Ranges::Ignore,
        }
    }

    fn respond_part(&self, range: &ByteRange, media_type: Option<&[u8]>) -> Response {
        let body = self.part(range);
        let mut response = self.respond_typed(StatusCode::PARTIAL_CONTENT, media_type, body);
        response
            .head
            .field("Content-Range", content_range(range, self.stat.size));
        response
    }

    fn respond_parts(&self, ranges: &[ByteRange], media_type: Option<&[u8]>) -> Response {
        let boundary = format!("{:016x}", RandomState::new().hash_one(self.entity_tag()));
        let own_type = self.media_type.to_string();
        let media_type = media_type.unwrap_or(own_type.as_bytes());
        let layout = multipart(ranges, self.stat.size, media_type, &boundary);
        let mut parts = Vec::with_capacity(2 * ranges.len() + 1);
        for (range, head) in ranges.iter().zip(layout.part_heads) {
            parts.push(Body::Bytes(head));
            parts.push(self.part(range));
        }
        parts.push(Body::Bytes(layout.close));
        let untyped = &self.fields[..self.type_start];
        let mut response = respond(StatusCode::PARTIAL_CONTENT, untyped, Body::Parts(parts));
        response
            .head
            .field("Content-Type", multipart_type(&boundary));
        response
    }

    fn part(&self, range: &ByteRange) -> Body {
        match &self.content {
            // Content in memory is shorter than any usize.
            Content::Memory(content) => {
                Body::Bytes(content[range.first as usize..=range.last as usize].to_vec())
            }
            Content::File(file) => Body::File {
                file: Arc::clone(file),
                first: range.first,
                len: range.len(),
            },
        }
    }

    fn respond_typed(&self, status: StatusCode, media_type: Option<&[u8]>, body: Body) -> Response {
        let Some(media_type) = media_type else {
            return respond(status, &self.fields, body);
        };
        let mut response = respond(status, &self.fields[..self.type_start], body);
        response.head.field("Content-Type", media_type);
        response
    }
}

fn respond(status: StatusCode, fields: &[u8], body: Body) -> Response {
    let mut head = ResponseHead::new(status);
    head.block.extend_from_slice(fields);
    Response {
        head,
        body,
        reason: None,
    }
}
