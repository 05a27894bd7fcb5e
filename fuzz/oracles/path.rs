//! Paths of URLs.

use tollgate::proto::uri::path::UrlPath;

/// Takes a path as a request target may hold it.
pub fn path(input: &[u8]) {
    let decoded = UrlPath::decode(input);
    let expected = reference(input);
    assert_eq!(
        decoded.as_ref().ok().map(UrlPath::as_bytes),
        expected.as_deref()
    );
    let Ok(path) = decoded else {
        return;
    };
    let bytes = path.as_bytes();
    assert!(bytes.starts_with(b"/"));
    assert!(!bytes.iter().any(u8::is_ascii_control));
    let mut hidden = false;
    if let [b'/', names @ ..] = bytes {
        let names = names.strip_suffix(b"/").unwrap_or(names);
        for (place, name) in names.split(|&byte| byte == b'/').enumerate() {
            assert!(!matches!(name, b"." | b".."));
            assert!(!name.is_empty() || bytes == b"/");
            hidden |= name.starts_with(b".") && !(place == 0 && name == b".well-known");
        }
        assert_eq!(path.is_folder(), bytes.ends_with(b"/"));
        assert_eq!(path.segments().collect::<Vec<_>>().join(&b'/'), names);
    }
    assert_eq!(path.has_hidden_segment(), hidden);

    // What it is encoded to leads back here, and nowhere else: not to another site, nor out of an
    // attribute of HTML.
    let encoded = path.encode();
    assert!(encoded.is_ascii());
    assert!(!encoded.starts_with("//"));
    assert!(!encoded.contains(['"', '\'', '<', '>', '&', '\\', '?', '#', ' ']));
    assert_eq!(UrlPath::decode(encoded.as_bytes()).as_ref(), Ok(&path));
}

/// RFC 3986: what each segment decodes to, walked as a file system would.
fn reference(raw: &[u8]) -> Option<Vec<u8>> {
    let mut walked: Vec<Vec<u8>> = Vec::new();
    let mut is_folder = true;
    for segment in raw.strip_prefix(b"/")?.split(|&byte| byte == b'/') {
        let name = unescape(segment)?;
        is_folder = matches!(&name[..], b"" | b"." | b"..");
        match &name[..] {
            b"" | b"." => {}
            b".." => drop(walked.pop()),
            _ => walked.push(name),
        }
    }
    let mut path: Vec<u8> = walked
        .iter()
        .flat_map(|name| [b"/", &name[..]].concat())
        .collect();
    if is_folder || path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}

fn unescape(segment: &[u8]) -> Option<Vec<u8>> {
    let mut parts = segment.split(|&byte| byte == b'%');
    let mut name = parts.next()?.to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|two| two.iter().all(u8::is_ascii_hexdigit))?;
        name.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        name.extend(&part[2..]);
    }
    let is_name = !name
        .iter()
        .any(|&byte| byte == b'/' || byte.is_ascii_control());
    is_name.then_some(name)
}
