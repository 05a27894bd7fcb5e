//! What programs print.

use tollgate::proto::Parsed;
use tollgate::proto::cgi::response::{CgiHead, CgiResponse, SendFile, ended, parse};

use super::{is_token, is_value, split_at, trimmed, verdict};

/// Takes the output of a program.
pub fn cgi_response(input: &[u8]) {
    for max_len in [16 * 1024, 64] {
        match verdict(input, |bytes| parse(bytes, max_len)) {
            Ok(Parsed::Complete { value, used }) => {
                assert!(used <= max_len);
                check_head(&value);
                check_against_output(&value, &input[..used]);
                check_again(&value);
            }
            Ok(Parsed::Partial) => {
                assert!(input.len() < max_len);
                check_hope(input);
                assert_eq!(ended(input).status().as_u16(), 502);
            }
            Err(reason) => assert_eq!(reason.status().as_u16(), 502, "{reason:?}"),
        }
    }
}

/// To wait for more bytes is right only where the last line may become a field line or an empty one.
fn check_hope(input: &[u8]) {
    let line = input.rsplit(|&byte| byte == b'\n').next().unwrap_or(input);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match split_at(line, b":") {
        Some((name, value)) => assert!(is_token(name) && is_value(value)),
        None => assert!(line.is_empty() || is_token(line)),
    }
}

/// Fields that are the server's to send.
const NEVER: [&str; 13] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "server",
    "status",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-accel-redirect",
    "x-sendfile",
];

/// Whatever the program printed, this is put into a response.
fn check_head(head: &CgiHead) {
    assert!((200..600).contains(&head.status.as_u16()));
    assert!(head.phrase.as_deref().is_none_or(is_value));
    for (name, value) in field_lines(&head.block) {
        assert!(is_token(name) && is_value(value));
        assert!(!value.is_empty() && trimmed(value) == value);
        let name = name.to_ascii_lowercase();
        assert!(!NEVER.iter().any(|never| never.as_bytes() == name));
        assert!(!name.starts_with(b"x-cgi-"));
    }
    if let CgiResponse::LocalRedirect { location } = &head.kind {
        assert!(head.block.is_empty() && head.phrase.is_none());
        assert!(location.starts_with(b"/") && !location.starts_with(b"//"));
        assert!(is_value(location) && !location.iter().any(|byte| b" \t#".contains(byte)));
    }
    if let CgiResponse::SendFile { from } = &head.kind {
        check_file(from);
    }
}

/// What names a file in the server's words: an absolute path, and never more.
fn check_file(from: &SendFile) {
    match from {
        SendFile::Path(name) => assert!(name.starts_with(b"/") && is_value(name)),
        SendFile::Url(url) => {
            assert!(url.starts_with(b"/") && !url.starts_with(b"//") && is_value(url));
            assert!(!url.iter().any(|byte| b"?#".contains(byte)));
        }
    }
}

/// The lines of a block, each of which ends in CR LF and holds neither byte elsewhere.
fn field_lines(block: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let line = split_at(rest, b"\r\n");
        let field = line.and_then(|(line, _)| split_at(line, b": "));
        let (Some((_, after)), Some(field)) = (line, field) else {
            panic!("not a field line: {}", rest.escape_ascii());
        };
        fields.push(field);
        rest = after;
    }
    fields
}

/// Nothing is made up and nothing is lost: RFC 3875 section 6.3, by the names of the fields.
fn check_against_output(head: &CgiHead, header: &[u8]) {
    let printed: Vec<(Vec<u8>, &[u8])> = header
        .split(|&byte| byte == b'\n')
        .filter_map(|line| split_at(line.strip_suffix(b"\r").unwrap_or(line), b":"))
        .map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let only = |name: &str| {
        let mut values = printed.iter().filter(|(other, _)| other == name.as_bytes());
        let value = values.next().map(|(_, value)| *value);
        assert!(values.next().is_none(), "{name} twice");
        value
    };
    let status = only("status").map(|value| value[..3].to_vec());
    // A space in it is encoded.
    let location = only("location").map(encoded);
    let location = location.as_deref();
    let customary = match (location, &head.kind) {
        (None, _) | (_, CgiResponse::LocalRedirect { .. } | CgiResponse::SendFile { .. }) => "200",
        _ => "302",
    };
    let expected = status.unwrap_or_else(|| customary.into());
    assert_eq!(head.status.as_u16().to_string().as_bytes(), expected);
    let len = head.content_length.map(|len| len.to_string());
    let printed_len = only("content-length").map(|digits| {
        assert!(digits.iter().all(u8::is_ascii_digit));
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let digits = &digits[zeros.min(digits.len() - 1)..];
        String::from_utf8_lossy(digits).into_owned()
    });
    assert_eq!(len, printed_len);

    let is_for_client = |name: &[u8]| {
        let never = NEVER.iter().any(|never| never.as_bytes() == name);
        !never && name != b"location" && !name.starts_with(b"x-cgi-")
    };
    let kept = printed.iter().filter(|(name, _)| is_for_client(name));
    let mut expected: Vec<_> = kept.map(|(name, value)| (name.clone(), *value)).collect();
    match (&head.kind, location) {
        (CgiResponse::LocalRedirect { location: local }, _) => {
            assert_eq!(Some(&local[..]), location);
        }
        (_, Some(location)) => expected.push((b"location".to_vec(), location)),
        (CgiResponse::SendFile { .. }, None) => {}
        (_, None) => assert_eq!(head.kind, CgiResponse::Document),
    }
    let named = match (only("x-sendfile"), only("x-accel-redirect")) {
        (None, None) => None,
        (Some(name), None) => Some(SendFile::Path(name.to_vec())),
        (None, Some(url)) => {
            let path = split_at(url, b"?").map_or(url, |(path, _)| path);
            Some(SendFile::Url(encoded(path)))
        }
        (Some(_), Some(_)) => panic!("two files"),
    };
    match &head.kind {
        CgiResponse::SendFile { from } => assert_eq!(Some(from), named.as_ref()),
        _ => assert_eq!(named, None),
    }
    let block: Vec<_> = field_lines(&head.block)
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    assert_eq!(block, expected);
}

/// A URL with its spaces encoded.
fn encoded(url: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = url.split(|&byte| byte == b' ').collect();
    words.join(&b"%20"[..])
}

/// A program that prints what was made of its output is understood in the same way.
fn check_again(head: &CgiHead) {
    let mut output = Vec::new();
    if let CgiResponse::LocalRedirect { location } = &head.kind {
        output.extend([b"Location:", &location[..], b"\n"].concat());
    } else {
        output.extend(format!("Status:{} ", head.status.as_u16()).into_bytes());
        output.extend(head.phrase.iter().flatten());
        output.extend(b"\n");
    }
    match &head.kind {
        CgiResponse::SendFile {
            from: SendFile::Path(name),
        } => output.extend([b"X-Sendfile:", &name[..], b"\n"].concat()),
        CgiResponse::SendFile {
            from: SendFile::Url(url),
        } => output.extend([b"X-Accel-Redirect:", &url[..], b"\n"].concat()),
        _ => {}
    }
    if let Some(len) = head.content_length {
        output.extend(format!("Content-Length:{len}\n").into_bytes());
    }
    output.extend(&head.block);
    output.extend(b"\n");
    let value = head.clone();
    let used = output.len();
    assert_eq!(parse(&output, used), Ok(Parsed::Complete { value, used }));
}
