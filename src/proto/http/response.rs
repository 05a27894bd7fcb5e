//! Encodes a response head and plans how its body is framed (RFC 9112 section 6).

use crate::proto::http::status::StatusCode;

/// A status line and the fields that the resource decides; framing, Date, Server and Connection are
/// added when it is encoded.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// A reason phrase other than the customary one.
    pub phrase: Option<Vec<u8>>,
    /// The field lines, each ended by CR LF, ready to be sent.
    pub block: Vec<u8>,
}

/// How the body of a response is delimited on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// There is no body and no length field: 1xx, 204, 304.
    Empty,
    /// The answer to HEAD: no body, but the length that a GET would have, where it is known.
    Omitted(Option<u64>),
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// Until the connection closes.
    UntilClose,
}
