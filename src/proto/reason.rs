//! Every reason for which tollgate refuses, fails or cuts an exchange, in one table.
//!
//! Shape: a [`Reason`] has a stable lower-case code (shown in the access log and in
//! `docs/reasons.md`), the status that a client is answered with, and one sentence for people.
//! Rules: a code is never reused for another meaning; `tests/reasons.rs` holds the table against
//! `docs/reasons.md`. A reason says nothing internal: no path, no program output.

use crate::proto::http::status::StatusCode;

macro_rules! reasons {
    ($($name:ident $code:literal $status:literal $meaning:literal;)*) => {
        /// Why an exchange was refused, failed or cut.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of `docs/reasons.md`.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The stable code, as `area.what`.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)* }
            }

            /// The status that the client is answered with. 499 and 500 on codes that only ever
            /// reach the log (a client that left, a response that was cut) are never sent.
            pub const fn status(self) -> StatusCode {
                match self { $(Reason::$name => StatusCode::new_const($status),)* }
            }

            /// One sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning,)* }
            }
        }
    };
}

impl Reason {
    /// Whether the header that a program printed is to blame.
    pub const fn is_of_header(self) -> bool {
        matches!(
            self,
            Reason::CgiNoHeader
                | Reason::CgiHeaderMalformed
                | Reason::CgiHeaderTooLong
                | Reason::CgiStatus
                | Reason::CgiLocation
                | Reason::CgiSendFile
        )
    }
}

reasons! {
    HeadMalformed "head.malformed" 400 "The request line or a field line does not follow the grammar.";
    HeadControlByte "head.control-byte" 400 "The request head holds a NUL, a bare CR or another control character.";
    HeadFieldName "head.field-name" 400 "A field name is empty, holds a forbidden character, or is followed by a space before the colon.";
    HeadFolded "head.folded" 400 "A field line is continued on the next line (obs-fold), which RFC 9112 lets a server refuse.";
    HeadVersion "head.version" 505 "The HTTP version is not 1.x.";
    HeadTooLong "head.too-long" 431 "The request head is longer than --max-header.";
    HeadTooManyFields "head.too-many-fields" 431 "The request head has more than 100 fields.";
    HeadTargetTooLong "head.target-too-long" 414 "The request target does not fit the permitted head.";
    HeadTimeout "head.timeout" 408 "The request head took longer than --header-timeout.";
    HostMissing "host.missing" 400 "An HTTP/1.1 request has no Host field.";
    HostRepeated "host.repeated" 400 "The request has more than one Host field.";
    HostInvalid "host.invalid" 400 "The Host field or the authority of the target is not HOST or HOST:PORT.";
    HostUnknown "host.unknown" 421 "The host is none of a site's here, and --unknown-host refuses such requests.";
    ProxyMissing "proxy.missing" 400 "A trusted proxy's connection does not begin with a PROXY header, and --proxy-protocol wants one.";
    ProxyMalformed "proxy.malformed" 400 "The PROXY header at the beginning of the connection is malformed or too long.";
    ProxyForwarded "proxy.forwarded" 400 "The Forwarded or X-Forwarded field of a trusted proxy is malformed where it counts.";
    ProxyConflict "proxy.conflict" 400 "Forwarded and the X-Forwarded fields of a trusted proxy do not tell the same.";
    ExpectUnknown "expect.unknown" 417 "The Expect field asks for something else than 100-continue.";
    MethodRefused "method.refused" 405 "TRACE and CONNECT are not offered.";
    FramingLengthAndCoding "framing.length-and-coding" 400 "The request has both Content-Length and Transfer-Encoding.";
    FramingLengthInvalid "framing.length-invalid" 400 "Content-Length is not one decimal number.";
    FramingLengthDiffers "framing.length-differs" 400 "Content-Length is given twice, with different values.";
    FramingCodingUnknown "framing.coding-unknown" 501 "The request uses a transfer coding other than chunked.";
    FramingCodingOrder "framing.coding-order" 400 "Transfer-Encoding is not exactly one final chunked.";
    FramingCodingVersion "framing.coding-version" 400 "Transfer-Encoding in an HTTP/1.0 request.";
    FramingConnectionOption "framing.connection-option" 400 "Connection names Content-Length, Transfer-Encoding or Host, which would get lost on the way.";
    FramingChunkSize "framing.chunk-size" 400 "A chunk size is not a hexadecimal number that fits 64 bits.";
    FramingChunkLine "framing.chunk-line" 400 "A chunk is not ended by CR LF, or its line is too long.";
    FramingTrailer "framing.trailer" 400 "The trailer section is malformed or too long.";
    BodyTooLong "body.too-long" 413 "The request body is longer than --max-body.";
    BodyTimeout "body.timeout" 408 "The request body came more slowly than the least rate.";
    BodyCut "body.cut" 400 "The client ended the connection inside the request body.";
    SpoolFull "spool.full" 507 "The spool folder or --max-spool has no room for the request body.";
    SpoolFailed "spool.failed" 500 "The spool file could not be made or written.";
    TargetForm "target.form" 400 "The request target is in none of the four forms of RFC 9112.";
    TargetEncoding "target.encoding" 400 "The path holds a percent sign that is not followed by two hexadecimal digits.";
    TargetByte "target.byte" 400 "The path holds an encoded NUL or another control character.";
    TargetSlash "target.slash" 400 "The path holds an encoded slash.";
    AuthMissing "auth.missing" 401 "The path asks for a user and a password, and the request has none.";
    AuthMalformed "auth.malformed" 401 "The Authorization field is given twice, or is not Basic credentials as RFC 7617 has them.";
    AuthWrong "auth.wrong" 401 "There is no such user, or the password is wrong.";
    AuthBusy "auth.busy" 503 "Too many passwords wait to be checked, or the wait was too long.";
    AuthFile "auth.file" 500 "The file of users cannot be read, so nobody gets in.";
    RouteNone "route.none" 404 "No route matches the path.";
    FileNotFound "file.not-found" 404 "There is no such file.";
    FileHidden "file.hidden" 404 "A name that begins with a dot, the folder of a CGI route, or the source of a program is not shown.";
    FileCopy "file.copy" 404 "The name is that of a copy, such as editors leave, of a program or of another file that is not shown.";
    FileDenied "file.denied" 403 "The server may not read the file.";
    FileEscapes "file.escapes" 403 "The path leaves its root by a symbolic link.";
    FileNotRegular "file.not-regular" 403 "The path names something that is not a regular file.";
    FileFolder "file.folder" 403 "The folder has no index file, and --listing is off.";
    FileMethod "file.method" 405 "Files answer GET, HEAD and OPTIONS only.";
    FilePrecondition "file.precondition" 412 "A condition of the request (If-Match, If-Unmodified-Since) does not hold.";
    FileRange "file.range" 416 "No requested range lies within the file.";
    FileShrunk "file.shrunk" 500 "The file became shorter while it was sent; the response was cut.";
    FileFailed "file.failed" 500 "The file could not be opened or read.";
    CgiNotFound "cgi.not-found" 404 "There is no such program.";
    CgiHidden "cgi.hidden" 404 "A program's name that begins with a dot is not run.";
    CgiCopy "cgi.copy" 404 "The name is that of a copy of a program, such as editors leave, and is not run.";
    CgiFolder "cgi.folder" 403 "The path names a folder of programs, not a program.";
    CgiDenied "cgi.denied" 403 "The program may not be reached by the server's user, or leaves its root by a link.";
    CgiFolderDenied "cgi.folder-denied" 403 "A folder on the way to the program may not be passed by the server's user.";
    CgiNotExecutable "cgi.not-executable" 403 "The program has no execute permission.";
    CgiBusy "cgi.busy" 503 "All --max-processes are busy and the waiting line is full, or the wait was too long.";
    CgiNoInterpreter "cgi.no-interpreter" 500 "The interpreter named in the program's first line does not exist.";
    CgiCarriageReturn "cgi.carriage-return" 500 "The program's first line ends in CR LF, so its interpreter is not found.";
    CgiByteOrderMark "cgi.byte-order-mark" 500 "A byte-order mark before the program's first line hides its interpreter.";
    CgiBadFormat "cgi.bad-format" 500 "The kernel cannot execute the program: no #! line, or made for another processor.";
    CgiProcessor "cgi.processor" 500 "The program is compiled for another processor.";
    CgiLibrary "cgi.library" 502 "A shared library that the program needs is missing.";
    CgiSpawnFailed "cgi.spawn-failed" 503 "The program could not be started for want of processes, memory or descriptors.";
    CgiArgumentsTooLong "cgi.arguments-too-long" 431 "The request is larger than the system lets a program's environment be.";
    CgiRequestConflict "cgi.field-conflict" 400 "Two fields of the request would become the same variable.";
    CgiNoOutput "cgi.no-output" 502 "The program ended without printing anything.";
    CgiFailed "cgi.failed" 502 "The program failed before its response began, and says where.";
    CgiNoHeader "cgi.no-header" 502 "The program's output does not begin with a header.";
    CgiHeaderCut "cgi.header-cut" 502 "The program ended inside its header, before the blank line.";
    CgiHeaderLate "cgi.header-late" 502 "The program's header comes after other output.";
    CgiHeaderMalformed "cgi.header-malformed" 502 "A line of the program's header is malformed, or a CGI field is given twice.";
    CgiHeaderTooLong "cgi.header-too-long" 502 "The program's header is longer than --max-header.";
    CgiStatus "cgi.status" 502 "The program's Status field is not a three-digit number from 200 to 599.";
    CgiLocation "cgi.location" 502 "The program's Location field holds a tab, or a local redirect leads to no path of this server.";
    CgiRedirects "cgi.redirects" 502 "More than 10 local redirects followed one another.";
    CgiTimeout "cgi.timeout" 504 "The program was silent for longer than --cgi-timeout.";
    CgiKilled "cgi.killed" 502 "The program was ended by a signal before its response was whole.";
    CgiMemory "cgi.memory" 502 "The kernel ended the program for want of memory.";
    CgiCpuLimit "cgi.cpu-limit" 504 "The program used more processor time than its limit (--limit cpu) permits.";
    CgiFileLimit "cgi.file-limit" 500 "The program wrote a longer file than its limit (--limit file-size) permits.";
    CgiShort "cgi.short" 502 "The program printed fewer bytes than its Content-Length.";
    CgiLong "cgi.long" 500 "The program printed more bytes than its Content-Length; the rest was dropped.";
    CgiExit "cgi.exit" 500 "The program ended with a non-zero exit status; its response stands.";
    CgiSendFile "cgi.send-file" 502 "The program's X-Sendfile or X-Accel-Redirect names no file that a static route could send.";
    FastcgiUnreachable "fastcgi.unreachable" 502 "The FastCGI application could not be connected to.";
    FastcgiDenied "fastcgi.denied" 502 "The FastCGI application's socket may not be connected to by the server's user.";
    FastcgiConnectTimeout "fastcgi.connect-timeout" 504 "Connecting to the FastCGI application took longer than --fastcgi-connect-timeout.";
    FastcgiDown "fastcgi.down" 503 "All backends of the FastCGI application are left out for having failed just now.";
    FastcgiBusy "fastcgi.busy" 503 "All backends are busy and the waiting line is full, or the wait was too long.";
    FastcgiOverloaded "fastcgi.overloaded" 503 "The FastCGI application said that it is overloaded (FCGI_OVERLOADED).";
    FastcgiMultiplex "fastcgi.multiplex" 502 "The FastCGI application refused a request as a second one on its connection (FCGI_CANT_MPX_CONN).";
    FastcgiRole "fastcgi.role" 502 "The FastCGI application does not know the role asked of it (FCGI_UNKNOWN_ROLE).";
    FastcgiClosed "fastcgi.closed" 502 "The FastCGI application closed the connection before the end of its response.";
    FastcgiVersion "fastcgi.version" 502 "A record's version is not 1: the peer does not speak FastCGI.";
    FastcgiRecordType "fastcgi.record-type" 502 "A record's type is unknown, or none that an application sends.";
    FastcgiRequestId "fastcgi.request-id" 502 "A record belongs to a request that was not asked.";
    FastcgiEndRequest "fastcgi.end-request" 502 "An FCGI_END_REQUEST record is malformed, or bytes follow it.";
    FastcgiTimeout "fastcgi.timeout" 504 "The FastCGI application was silent for longer than --fastcgi-timeout.";
    FastcgiStatus "fastcgi.status" 500 "The FastCGI application ended the request with a non-zero status, or complained of its failure; its response stands.";
    FastcgiScriptUnknown "fastcgi.script-unknown" 404 "PHP finds no file under the path that it is told.";
    ClientGone "client.gone" 499 "The client ended the connection before its response was whole.";
    ClientSlow "client.slow" 499 "The client took the response more slowly than the least rate.";
    ServerStopping "server.stopping" 503 "The server is stopping.";
    ServerFailed "server.failed" 500 "The server met an unexpected failure.";
}
