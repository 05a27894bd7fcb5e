use super::*;
use crate::proto::testing::request_head;

#[test]
fn the_body_of_a_request() {
    use Framing::{Chunked, Length};
    use Reason::{
        FramingCodingOrder, FramingCodingUnknown, FramingCodingVersion, FramingLengthAndCoding,
        FramingLengthDiffers, FramingLengthInvalid,
    };
    let cases: &[(&str, Result<Framing, Reason>)] = &[
        ("", Ok(Framing::None)),
        (
            "Content-Lengths: 5\r\nTransfer-Encodings: chunked\r\n",
            Ok(Framing::None),
        ),
        ("TE: chunked\r\n", Ok(Framing::None)),
        // Content-Length: one decimal number.
        ("Content-Length: 0\r\n", Ok(Length(0))),
        ("content-LENGTH:5 \t\r\n", Ok(Length(5))),
        ("Content-Length: 007\r\n", Ok(Length(7))),
        (
            "Content-Length: 18446744073709551615\r\n",
            Ok(Length(u64::MAX)),
        ),
        (
            "Content-Length: 18446744073709551616\r\n",
            Err(FramingLengthInvalid),
        ),
        ("Content-Length:\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: +5\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: -5\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 0x5\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5_0\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5 5\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5.0\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5e0\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: five\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: \"5\"\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5;\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: \u{665}\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5, 6\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5, 5\r\n", Err(FramingLengthInvalid)),
        ("Content-Length: 5,\r\n", Err(FramingLengthInvalid)),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            Err(FramingLengthInvalid),
        ),
        (
            "Content-Length: 5\r\nContent-Length: 05\r\n",
            Err(FramingLengthInvalid),
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            Err(FramingLengthDiffers),
        ),
        (
            "Content-Length: 6\r\nX: y\r\ncontent-length: 5\r\n",
            Err(FramingLengthDiffers),
        ),
        (
            "Content-Length: 5\r\nContent-Length:\r\n",
            Err(FramingLengthInvalid),
        ),
        (
            "Content-Length: x\r\nContent-Length: 5\r\n",
            Err(FramingLengthInvalid),
        ),
        // Transfer-Encoding: chunked, once, alone.
        ("Transfer-Encoding: chunked\r\n", Ok(Chunked)),
        ("transfer-encoding:\tCHUNKed \r\n", Ok(Chunked)),
        ("Transfer-Encoding:\r\n", Err(FramingCodingOrder)),
        ("Transfer-Encoding: ,\r\n", Err(FramingCodingOrder)),
        ("Transfer-Encoding: chunked,\r\n", Err(FramingCodingOrder)),
        ("Transfer-Encoding: ,chunked\r\n", Err(FramingCodingOrder)),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: chunked, gzip\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: gzip, chunked, gzip\r\n",
            Err(FramingCodingOrder),
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            Err(FramingCodingUnknown),
        ),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            Err(FramingCodingUnknown),
        ),
        ("Transfer-Encoding: gzip\r\n", Err(FramingCodingUnknown)),
        ("Transfer-Encoding: identity\r\n", Err(FramingCodingUnknown)),
        ("Transfer-Encoding: xchunked\r\n", Err(FramingCodingUnknown)),
        (
            "Transfer-Encoding: chunked;a=b\r\n",
            Err(FramingCodingUnknown),
        ),
        (
            "Transfer-Encoding: chunked gzip\r\n",
            Err(FramingCodingUnknown),
        ),
        (
            "Transfer-Encoding: \"chunked\"\r\n",
            Err(FramingCodingUnknown),
        ),
        // Never both, whatever each of them says.
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Err(FramingLengthAndCoding),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            Err(FramingLengthAndCoding),
        ),
        (
            "Transfer-Encoding:\r\nContent-Length: 5\r\n",
            Err(FramingLengthAndCoding),
        ),
        (
            "Transfer-Encoding: identity\r\nContent-Length:\r\n",
            Err(FramingLengthAndCoding),
        ),
    ];
    for (fields, expected) in cases {
        let head = request_head(format!("POST / HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(request_body(&head), *expected, "{fields}");

        let expected = match expected {
            Ok(Chunked) | Err(FramingCodingOrder | FramingCodingUnknown) => {
                Err(FramingCodingVersion)
            }
            other => *other,
        };
        let head = request_head(format!("POST / HTTP/1.0\r\n{fields}\r\n"));
        assert_eq!(request_body(&head), expected, "1.0: {fields}");
    }
}

#[test]
fn what_the_client_waits_for() {
    let cases: &[(&str, Result<Expectation, Reason>)] = &[
        ("", Ok(Expectation::None)),
        ("Expect:\r\n", Ok(Expectation::None)),
        ("Expect: 100-continue\r\n", Ok(Expectation::Continue)),
        ("expect: 100-CONTINUE, \r\n", Ok(Expectation::Continue)),
        (
            "Expect: 100-continue\r\nExpect: 100-continue\r\n",
            Ok(Expectation::Continue),
        ),
        ("Expect: 100-continue, more\r\n", Err(Reason::ExpectUnknown)),
        (
            "Expect: more\r\nExpect: 100-continue\r\n",
            Err(Reason::ExpectUnknown),
        ),
        ("Expect: 100\r\n", Err(Reason::ExpectUnknown)),
        ("Expect: 100-continue;q=1\r\n", Err(Reason::ExpectUnknown)),
    ];
    for (fields, expected) in cases {
        let head = request_head(format!("POST / HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(expectation(&head), *expected, "{fields}");
        let head = request_head(format!("POST / HTTP/1.0\r\n{fields}\r\n"));
        assert_eq!(expectation(&head), Ok(Expectation::None), "1.0: {fields}");
    }
}

#[test]
fn no_connection_option_takes_what_frames_the_request() {
    for (fields, is_refused) in [
        ("", false),
        ("Connection: close, keep-alive, TE, Upgrade\r\n", false),
        ("Connection: Content-Type, Cookie, Hosts\r\n", false),
        ("X-Connection: Host\r\n", false),
        ("Connection: Content-Length\r\n", true),
        (
            "Connection: close\r\nconnection: x ,\tTRANSFER-ENCODING\r\n",
            true,
        ),
        ("Connection: ,host\r\n", true),
    ] {
        let head = request_head(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        let expected = match is_refused {
            true => Err(Reason::FramingConnectionOption),
            false => Ok(()),
        };
        assert_eq!(check_connection_options(&head), expected, "{fields}");
    }
}
