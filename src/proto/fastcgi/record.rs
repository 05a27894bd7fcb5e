//! Records: their header, the types, and the bodies that have a fixed form.
//!
//! Source: the FastCGI specification, sections 3.3, 5.1, 5.5 and 8. Names are the specification's.
//! Shape: values in, bytes out, and back. Rules: what is read is checked, a number that the
//! specification does not know is refused and never mapped to one that it does.
//!
//! Not here: streams and their order (`request.rs`, `response.rs`).

use crate::proto::Reason;

/// The only version there is (FCGI_VERSION_1).
pub const VERSION: u8 = 1;

/// The length of a record's header (FCGI_HEADER_LEN).
pub const HEADER_LEN: usize = 8;

/// The most that one record holds.
pub const CONTENT_MAX: usize = 65_535;

/// The requestId of management records (FCGI_NULL_REQUEST_ID).
pub const NULL_REQUEST_ID: u16 = 0;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl TryFrom<$int> for $name {
            /// The number that means nothing.
            type Error = $int;

            fn try_from(number: $int) -> Result<$name, $int> {
                match number {
                    $($number => Ok($name::$variant),)*
                    unknown => Err(unknown),
                }
            }
        }

        impl From<$name> for $int {
            fn from(value: $name) -> $int {
                value as $int
            }
        }
    };
}

numbered! {
    /// What a record is.
    RecordType: u8 {
        /// FCGI_BEGIN_REQUEST, to the application.
        BeginRequest = 1,
        /// FCGI_ABORT_REQUEST, to the application.
        AbortRequest = 2,
        /// FCGI_END_REQUEST, to the server.
        EndRequest = 3,
        /// FCGI_PARAMS, a stream to the application.
        Params = 4,
        /// FCGI_STDIN, a stream to the application.
        Stdin = 5,
        /// FCGI_STDOUT, a stream to the server.
        Stdout = 6,
        /// FCGI_STDERR, a stream to the server.
        Stderr = 7,
        /// FCGI_DATA, a stream to a Filter.
        Data = 8,
        /// FCGI_GET_VALUES, a management record to the application.
        GetValues = 9,
        /// FCGI_GET_VALUES_RESULT, a management record to the server.
        GetValuesResult = 10,
        /// FCGI_UNKNOWN_TYPE, the answer to a management record of a type that is not known.
        UnknownType = 11,
    }
}

numbered! {
    /// What an application is asked to do.
    Role: u16 {
        /// FCGI_RESPONDER: to answer a request, as a CGI program does.
        Responder = 1,
        /// FCGI_AUTHORIZER: to decide whether a request may be answered.
        Authorizer = 2,
        /// FCGI_FILTER: to answer with a changed file.
        Filter = 3,
    }
}

numbered! {
    /// How a request ended, for the protocol.
    ProtocolStatus: u8 {
        /// FCGI_REQUEST_COMPLETE: as it should.
        RequestComplete = 0,
        /// FCGI_CANT_MPX_CONN: refused, as a second request at the same time over one connection.
        CantMpxConn = 1,
        /// FCGI_OVERLOADED: refused for want of some resource.
        Overloaded = 2,
        /// FCGI_UNKNOWN_ROLE: refused, since the application has not this role.
        UnknownRole = 3,
    }
}

/// What the application does with the connection after the request (the flag FCGI_KEEP_CONN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepConn {
    /// Close it.
    Close,
    /// Leave it open.
    Keep,
}

/// The header of a record, whose version is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// A [`RecordType`], or a number that is none.
    pub record_type: u8,
    /// 0 for management records, else the request that it belongs to.
    pub request_id: u16,
    /// The bytes of content that follow.
    pub content_len: u16,
    /// The bytes of padding behind them.
    pub padding_len: u8,
}

impl RecordHeader {
    /// The header as it is sent.
    ///
    /// ```
    /// use tollgate::proto::fastcgi::record::{RecordHeader, RecordType};
    ///
    /// let header = RecordHeader {
    ///     record_type: RecordType::Stdin.into(),
    ///     request_id: 1,
    ///     content_len: 300,
    ///     padding_len: 4,
    /// };
    /// assert_eq!(header.encode(), [1, 5, 0, 1, 1, 44, 4, 0]);
    /// assert_eq!(RecordHeader::decode(header.encode()), Ok(header));
    /// ```
    pub const fn encode(self) -> [u8; HEADER_LEN] {
        let [id_high, id_low] = self.request_id.to_be_bytes();
        let [len_high, len_low] = self.content_len.to_be_bytes();
        [
            VERSION,
            self.record_type,
            id_high,
            id_low,
            len_high,
            len_low,
            self.padding_len,
            0,
        ]
    }

    /// The header that was received.
    ///
    /// **Errors**: [`Reason::FastcgiVersion`].
    pub const fn decode(bytes: [u8; HEADER_LEN]) -> Result<RecordHeader, Reason> {
        let [
            version,
            record_type,
            id_high,
            id_low,
            len_high,
            len_low,
            padding_len,
            _,
        ] = bytes;
        if version != VERSION {
            return Err(Reason::FastcgiVersion);
        }
        Ok(RecordHeader {
            record_type,
            request_id: u16::from_be_bytes([id_high, id_low]),
            content_len: u16::from_be_bytes([len_high, len_low]),
            padding_len,
        })
    }
}

/// The content of FCGI_BEGIN_REQUEST.
pub const fn encode_begin_request(role: Role, keep: KeepConn) -> [u8; 8] {
    let [high, low] = (role as u16).to_be_bytes();
    [
        high,
        low,
        matches!(keep, KeepConn::Keep) as u8,
        0,
        0,
        0,
        0,
        0,
    ]
}

/// The content of FCGI_END_REQUEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRequest {
    /// What the application says of itself: for a Responder an exit status.
    pub app_status: u32,
    /// What the protocol says of the request.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// The content as it is sent.
    pub fn encode(self) -> [u8; 8] {
        let [a, b, c, d] = self.app_status.to_be_bytes();
        [a, b, c, d, self.protocol_status.into(), 0, 0, 0]
    }

    /// The content that was received.
    ///
    /// **Errors**: [`Reason::FastcgiEndRequest`] for a protocolStatus that there is not.
    pub fn decode(bytes: [u8; 8]) -> Result<EndRequest, Reason> {
        let [a, b, c, d, status, ..] = bytes;
        Ok(EndRequest {
            app_status: u32::from_be_bytes([a, b, c, d]),
            protocol_status: ProtocolStatus::try_from(status)
                .map_err(|_| Reason::FastcgiEndRequest)?,
        })
    }
}
