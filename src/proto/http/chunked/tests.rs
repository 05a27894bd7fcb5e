use super::*;
use crate::proto::Parsed;
use crate::proto::testing::{Case, check_parse, complete};

/// Decodes `input` as it comes in pieces of `piece_len` bytes.
fn decode(input: &[u8], piece_len: usize) -> Result<Parsed<Vec<u8>>, Reason> {
    let mut decoder = ChunkedDecoder::default();
    let mut body = Vec::new();
    let mut total = 0;
    for mut piece in input.chunks(piece_len) {
        loop {
            match decoder.step(piece)? {
                Step::Data { bytes, used } => {
                    assert!(!bytes.is_empty() && piece[..used].ends_with(bytes));
                    body.extend_from_slice(bytes);
                    total += used;
                    piece = &piece[used..];
                }
                Step::Partial { used } => {
                    assert_eq!(used, piece.len());
                    total += used;
                    break;
                }
                Step::End { used } => {
                    assert_eq!(decoder.step(piece), Ok(Step::End { used: 0 }));
                    return complete(body, total + used);
                }
            }
        }
    }
    Ok(Parsed::Partial)
}

fn check(cases: &[Case<'_, Vec<u8>>]) {
    for piece_len in [1, 2, 3, 7, usize::MAX] {
        check_parse(cases, |input| decode(input, piece_len));
    }
}

#[test]
fn bodies() {
    let rows: &[(&str, &[u8], &[u8])] = &[
        ("no data", b"0\r\n\r\n", b""),
        ("a last chunk of many zeros", b"0000\r\n\r\n", b""),
        ("one chunk", b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (
            "several",
            b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n",
            b"abcdef",
        ),
        ("leading zeros", b"0005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (
            "small and capital digits",
            b"a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n",
            b"0123456789abcdefghij",
        ),
        (
            "data that looks like framing",
            b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
            b"\r\n0\r\n\r\n",
        ),
        (
            "opaque data",
            b"4\r\n\0\x7f\x80\xff\r\n0\r\n\r\n",
            b"\0\x7f\x80\xff",
        ),
        ("an extension", b"5;a=b\r\nhello\r\n0;c\r\n\r\n", b"hello"),
        (
            "extensions with whitespace",
            b"1 ; a = \"b;\t\x80\" ;c\r\nx\r\n0\t;d\r\n\r\n",
            b"x",
        ),
        ("trailer fields", b"1\r\nx\r\n0\r\nA: b\r\nc:\r\n\r\n", b"x"),
    ];
    let cases: Vec<_> = rows
        .iter()
        .map(|&(what, input, body)| (what, input, complete(body.to_vec(), input.len())))
        .collect();
    check(&cases);
}

#[test]
fn refusals() {
    use Reason::{FramingChunkLine, FramingChunkSize, FramingTrailer};
    let rows: &[(&str, &[u8], Reason)] = &[
        ("no size", b"\r\n", FramingChunkSize),
        ("an extension for a size", b";a\r\n", FramingChunkSize),
        ("a sign", b"+5\r\nhello\r\n", FramingChunkSize),
        ("a minus sign", b"-5\r\nhello\r\n", FramingChunkSize),
        ("0x", b"0x5\r\nhello\r\n", FramingChunkSize),
        ("an underscore", b"1_0\r\n", FramingChunkSize),
        ("a space before", b" 5\r\nhello\r\n", FramingChunkSize),
        ("a letter past f", b"5g\r\n", FramingChunkSize),
        ("a quoted size", b"\"5\"\r\n", FramingChunkSize),
        ("NUL after the size", b"5\0\r\n", FramingChunkSize),
        (
            "an opaque byte after the size",
            b"5\xff\r\n",
            FramingChunkSize,
        ),
        ("65 bits", b"10000000000000000\r\n", FramingChunkSize),
        (
            "many more",
            b"fffffffffffffffffffffffffffffffff\r\n",
            FramingChunkSize,
        ),
        ("a size ended by LF", b"5\nhello\r\n", FramingChunkLine),
        ("a size ended by CR", b"5\rhello\r\n", FramingChunkLine),
        ("CR CR LF", b"5\r\r\nhello\r\n", FramingChunkLine),
        ("a space after", b"5 \r\nhello\r\n", FramingChunkLine),
        ("two sizes", b"5 5\r\nhello\r\n", FramingChunkLine),
        (
            "an extension ended by LF",
            b"5;a\nhello\r\n",
            FramingChunkLine,
        ),
        (
            "bare CR in an extension",
            b"5;a\rb\r\nhello\r\n",
            FramingChunkLine,
        ),
        (
            "NUL in an extension",
            b"5;a\0b\r\nhello\r\n",
            FramingChunkLine,
        ),
        (
            "data longer than its size",
            b"4\r\nhello\r\n0\r\n\r\n",
            FramingChunkLine,
        ),
        (
            "data ended by LF",
            b"5\r\nhello\n0\r\n\r\n",
            FramingChunkLine,
        ),
        (
            "data ended by CR",
            b"5\r\nhello\r0\r\n\r\n",
            FramingChunkLine,
        ),
        (
            "data ended by nothing",
            b"5\r\nhello0\r\n\r\n",
            FramingChunkLine,
        ),
        (
            "data shorter than its size",
            b"7\r\nhello\r\n0\r\n\r\n",
            FramingChunkLine,
        ),
        (
            "an empty line between chunks",
            b"1\r\nx\r\n\r\n0\r\n\r\n",
            FramingChunkSize,
        ),
        ("the last chunk ended by LF", b"0\n\r\n", FramingChunkLine),
        ("the end by LF", b"0\r\n\n", FramingTrailer),
        ("the end by CR", b"0\r\n\rGET", FramingTrailer),
        (
            "a trailer without a colon",
            b"0\r\nGET / HTTP/1.1\r\n\r\n",
            FramingTrailer,
        ),
        ("a trailer ended by LF", b"0\r\nA: b\n\r\n", FramingTrailer),
        (
            "a folded trailer",
            b"0\r\nA: b\r\n c\r\n\r\n",
            FramingTrailer,
        ),
        (
            "space before the first trailer",
            b"0\r\n A: b\r\n\r\n",
            FramingTrailer,
        ),
        (
            "space before a trailer's colon",
            b"0\r\nA : b\r\n\r\n",
            FramingTrailer,
        ),
        ("NUL in a trailer", b"0\r\nA: \0\r\n\r\n", FramingTrailer),
    ];
    check(
        &rows
            .iter()
            .map(|&(what, input, reason)| (what, input, Err(reason)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn unfinished() {
    check(&[
        ("data to come", b"5\r\nhel", Ok(Parsed::Partial)),
        (
            "the largest size",
            b"ffffffffffffffff\r\nhello",
            Ok(Parsed::Partial),
        ),
        ("no empty line", b"0\r\n", Ok(Parsed::Partial)),
        (
            "no end of the trailer section",
            b"0\r\nA: b\r\n",
            Ok(Parsed::Partial),
        ),
    ]);
}

#[test]
fn lines_and_trailers_are_bounded() {
    let line = |len: usize| format!("0;{}\r\n\r\n", "a".repeat(len - "0;\r\n".len())).into_bytes();
    let (fits, exceeds) = (line(256), line(257));
    let again = [b"1\r\nx\r\n", &fits[..]].concat();
    check(&[
        (
            "a line of 256 bytes after another",
            &again,
            complete(b"x".to_vec(), again.len()),
        ),
        (
            "a line of 256 bytes",
            &fits,
            complete(Vec::new(), fits.len()),
        ),
        (
            "a line of 257 bytes",
            &exceeds,
            Err(Reason::FramingChunkLine),
        ),
        (
            "an endless size",
            &[b'0'; 300],
            Err(Reason::FramingChunkLine),
        ),
    ]);

    let many = [b"1;a\r\nx\r\n".repeat(300), b"0\r\n\r\n".to_vec()].concat();
    assert_eq!(decode(&many, 5), complete(vec![b'x'; 300], many.len()));

    let trailer = |len: usize| format!("0\r\nA:{}\r\n\r\n", "b".repeat(len - "A:\r\n\r\n".len()));
    let (fits, exceeds) = (trailer(8192), trailer(8193));
    assert_eq!(
        decode(fits.as_bytes(), usize::MAX),
        complete(Vec::new(), fits.len())
    );
    assert_eq!(
        decode(exceeds.as_bytes(), usize::MAX),
        Err(Reason::FramingTrailer)
    );
    let many = format!("0\r\n{}", "A:\r\n".repeat(2048));
    assert_eq!(decode(many.as_bytes(), usize::MAX), Ok(Parsed::Partial));
    assert_eq!(
        decode(format!("{many}\r").as_bytes(), usize::MAX),
        Err(Reason::FramingTrailer)
    );
}

#[test]
fn sizes_are_encoded_as_they_are_decoded() {
    for (len, expected) in [
        (1, "1\r\n"),
        (0xf, "f\r\n"),
        (0x10, "10\r\n"),
        (0x1f, "1f\r\n"),
        (0x8000, "8000\r\n"),
        (u64::MAX, "ffffffffffffffff\r\n"),
    ] {
        let mut line = [0; CHUNK_SIZE_LEN];
        let line = encode_chunk_size(&mut line, len);
        assert_eq!(line, expected.as_bytes());

        let mut decoder = ChunkedDecoder::default();
        assert_eq!(decoder.step(line), Ok(Step::Partial { used: line.len() }));
        assert_eq!((decoder.left, decoder.place), (len, Place::Data));
    }

    let mut coded = Vec::new();
    for part in [&b"hello"[..], b"\r\n", &[b'x'; 300]] {
        let mut line = [0; CHUNK_SIZE_LEN];
        coded.extend_from_slice(encode_chunk_size(&mut line, part.len() as u64));
        coded.extend_from_slice(part);
        coded.extend_from_slice(CHUNK_END);
    }
    coded.extend_from_slice(LAST_CHUNK);
    let body = [&b"hello\r\n"[..], &[b'x'; 300]].concat();
    check(&[("encoded", &coded, complete(body, coded.len()))]);
}
