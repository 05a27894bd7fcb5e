//! Records: their header, their types and the bodies of a fixed length.
//!
//! Source: FastCGI 1.0 sections 3.3, 5.1, 5.5 and 8.
//! Shape: eight bytes to a value and back. All numbers are big-endian. A number that the
//! specification does not know is refused as itself.
//! Rules:
//! - A header's type stays a number: whether an unknown one is an error depends on the request that
//!   the record belongs to.
//! - Reserved bytes are written as 0 and not looked at, since a later version may give them a meaning.
//!
//! Not here: which records may come when (response.rs); content of any length (params.rs).

use crate::proto::Reason;

/// The length of a record's header, in bytes.
pub const HEADER_LEN: usize = 8;

/// The most content of one record, in bytes: its length has 16 bits.
pub const CONTENT_MAX: usize = 65_535;

/// The version of every record: `FCGI_VERSION_1`.
pub const VERSION: u8 = 1;

/// The request that management records belong to: `FCGI_NULL_REQUEST_ID`.
pub const MANAGEMENT_ID: u16 = 0;

macro_rules! numbers {
    ($(
        $(#[$about:meta])*
        pub enum $name:ident: $number:ident {
            $($(#[$meaning:meta])* $variant:ident = $value:literal,)*
        }
    )*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr($number)]
        pub enum $name {
            $($(#[$meaning])* $variant = $value,)*
        }

        impl TryFrom<$number> for $name {
            /// The number, which stands for nothing.
            type Error = $number;

            fn try_from(number: $number) -> Result<$name, $number> {
                match number {
                    $($value => Ok($name::$variant),)*
                    unknown => Err(unknown),
                }
            }
        }

        impl From<$name> for $number {
            fn from(value: $name) -> $number {
                value as $number
            }
        }
    )*};
}

numbers! {
    /// What a record holds.
    pub enum RecordType: u8 {
        /// `FCGI_BEGIN_REQUEST`, to the application.
        BeginRequest = 1,
        /// `FCGI_ABORT_REQUEST`, to the application.
        AbortRequest = 2,
        /// `FCGI_END_REQUEST`, from the application.
        EndRequest = 3,
        /// `FCGI_PARAMS`, a stream to the application.
        Params = 4,
        /// `FCGI_STDIN`, a stream to the application.
        Stdin = 5,
        /// `FCGI_STDOUT`, a stream from the application.
        Stdout = 6,
        /// `FCGI_STDERR`, a stream from the application.
        Stderr = 7,
        /// `FCGI_DATA`, a stream to an application that is a Filter.
        Data = 8,
        /// `FCGI_GET_VALUES`, a management record to the application.
        GetValues = 9,
        /// `FCGI_GET_VALUES_RESULT`, a management record from the application.
        GetValuesResult = 10,
        /// `FCGI_UNKNOWN_TYPE`, a management record: the answer to one of a type that is not known.
        UnknownType = 11,
    }

    /// What an application is asked to be.
    pub enum Role: u16 {
        /// `FCGI_RESPONDER`: it gives the response.
        Responder = 1,
        /// `FCGI_AUTHORIZER`: it says whether there is to be one.
        Authorizer = 2,
        /// `FCGI_FILTER`: it gives the response from a file that it is sent.
        Filter = 3,
    }

    /// How a request ended, apart from what the application made of it.
    pub enum ProtocolStatus: u8 {
        /// `FCGI_REQUEST_COMPLETE`: it was worked on.
        RequestComplete = 0,
        /// `FCGI_CANT_MPX_CONN`: it was refused as a second one on its connection.
        CantMpxConn = 1,
        /// `FCGI_OVERLOADED`: it was refused for want of some resource.
        Overloaded = 2,
        /// `FCGI_UNKNOWN_ROLE`: it was refused, since its role is not known.
        UnknownRole = 3,
    }
}

/// Who closes the connection at the end of a request (the flag `FCGI_KEEP_CONN`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepConn {
    /// The application, at once.
    Close,
    /// The server, whenever it likes.
    Keep,
}

/// What every record begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// The number of a [`RecordType`], or one that the specification does not know.
    pub record_type: u8,
    /// The request that the record belongs to; 0 for none.
    pub request_id: u16,
    /// How many bytes of content follow.
    pub content_len: u16,
    /// How many bytes without meaning follow the content.
    pub padding_len: u8,
}

impl RecordHeader {
    /// Returns the header as it is sent, in version 1.
    ///
    /// ```
    /// use tollgate::proto::fastcgi::record::{RecordHeader, RecordType};
    ///
    /// let header = RecordHeader {
    ///     record_type: RecordType::Stdout.into(),
    ///     request_id: 1,
    ///     content_len: 256,
    ///     padding_len: 7,
    /// };
    /// assert_eq!(header.encode(), [1, 6, 0, 1, 1, 0, 7, 0]);
    /// assert_eq!(RecordHeader::decode(&header.encode()), Ok(header));
    /// ```
    pub const fn encode(self) -> [u8; HEADER_LEN] {
        let [id1, id0] = self.request_id.to_be_bytes();
        let [len1, len0] = self.content_len.to_be_bytes();
        let (record_type, padding_len) = (self.record_type, self.padding_len);
        [VERSION, record_type, id1, id0, len1, len0, padding_len, 0]
    }

    /// Reads a header.
    ///
    /// **Errors**: [`Reason::FastcgiVersion`].
    pub const fn decode(bytes: &[u8; HEADER_LEN]) -> Result<RecordHeader, Reason> {
        let [version, record_type, id1, id0, len1, len0, padding_len, _] = *bytes;
        if version != VERSION {
            return Err(Reason::FastcgiVersion);
        }
        Ok(RecordHeader {
            record_type,
            request_id: u16::from_be_bytes([id1, id0]),
            content_len: u16::from_be_bytes([len1, len0]),
            padding_len,
        })
    }
}

/// The content of `FCGI_END_REQUEST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRequest {
    /// What the application says of itself. For a Responder it is what a CGI program would exit
    /// with: 0 where all went well.
    pub app_status: u32,
    /// Whether the request was worked on at all.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// The length of the content, in bytes.
    pub const LEN: usize = 8;

    /// Returns the content as it is sent.
    ///
    /// ```
    /// use tollgate::proto::fastcgi::record::{EndRequest, ProtocolStatus};
    ///
    /// let end = EndRequest { app_status: 1, protocol_status: ProtocolStatus::Overloaded };
    /// assert_eq!(end.encode(), [0, 0, 0, 1, 2, 0, 0, 0]);
    /// assert_eq!(EndRequest::decode(&end.encode()), Ok(end));
    /// ```
    pub const fn encode(self) -> [u8; EndRequest::LEN] {
        let [status3, status2, status1, status0] = self.app_status.to_be_bytes();
        let protocol_status = self.protocol_status as u8;
        [status3, status2, status1, status0, protocol_status, 0, 0, 0]
    }

    /// Reads the content.
    ///
    /// **Errors**: [`Reason::FastcgiEndRequest`] when the protocol status is not one of the four.
    pub fn decode(bytes: &[u8; EndRequest::LEN]) -> Result<EndRequest, Reason> {
        let [status3, status2, status1, status0, protocol_status, ..] = *bytes;
        Ok(EndRequest {
            app_status: u32::from_be_bytes([status3, status2, status1, status0]),
            protocol_status: ProtocolStatus::try_from(protocol_status)
                .map_err(|_| Reason::FastcgiEndRequest)?,
        })
    }
}

#[cfg(test)]
mod tests;
