//! Tells the media type of a file by the extension of its name.
//!
//! Source: mime_guess, which follows IANA's registry; RFC 9239 (JavaScript), RFC 7763 (Markdown).
//! Rules:
//! - Text is sent as UTF-8. XML is not: it names its own encoding, which a charset parameter would
//!   override (RFC 7303 section 3). JSON has no such parameter (RFC 8259 section 11).
//! - An unknown extension is `application/octet-stream`, which a browser saves and does not run.

use std::fmt;

use mime_guess::MimeGuess;

/// A media type, as a Content-Type field carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType {
    /// Type and subtype.
    essence: &'static str,
    /// The parameters, from the semicolon on; often empty.
    parameters: &'static str,
}

impl MediaType {
    /// The media type of the file `name`, which may be a path.
    pub fn of(name: &[u8]) -> MediaType {
        let essence = essence_of(name).unwrap_or("application/octet-stream");
        let is_text = essence.starts_with("text/") && essence != "text/xml";
        MediaType {
            essence,
            parameters: if is_text { "; charset=utf-8" } else { "" },
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.essence, self.parameters)
    }
}

fn essence_of(name: &[u8]) -> Option<&'static str> {
    let name = name.rsplit(|&byte| byte == b'/').next()?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let extension = str::from_utf8(&name[dot + 1..]).ok()?;
    // What mime_guess does not know, or knows by an older name that browsers act on differently.
    const AMENDED: [(&str, &str); 4] = [
        ("md", "text/markdown"),
        ("mjs", "text/javascript"),
        ("ts", "video/mp2t"),
        ("zst", "application/zstd"),
    ];
    let amended = AMENDED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension));
    amended
        .map(|(_, essence)| *essence)
        .or_else(|| MimeGuess::from_ext(extension).first_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        let cases = [
            ("index.html", "text/html; charset=utf-8"),
            ("a/b.d/INDEX.HTML", "text/html; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("notes.md", "text/markdown; charset=utf-8"),
            ("notes.txt", "text/plain; charset=utf-8"),
            ("data.json", "application/json"),
            ("app.webmanifest", "application/manifest+json"),
            ("feed.xml", "text/xml"),
            ("logo.svg", "image/svg+xml"),
            ("app.wasm", "application/wasm"),
            ("photo.webp", "image/webp"),
            ("photo.avif", "image/avif"),
            ("photo.jxl", "image/jxl"),
            ("font.woff2", "font/woff2"),
            ("part.ts", "video/mp2t"),
            ("logs.tar.gz", "application/gzip"),
            ("logs.tar.zst", "application/zstd"),
            ("README", "application/octet-stream"),
            ("folder.html/README", "application/octet-stream"),
            ("dot.", "application/octet-stream"),
            ("odd.\u{fffd}", "application/octet-stream"),
            ("", "application/octet-stream"),
        ];
        for (name, expected) in cases {
            assert_eq!(
                MediaType::of(name.as_bytes()).to_string(),
                expected,
                "{name}"
            );
        }
        assert_eq!(MediaType::of(b"odd.\xff"), MediaType::of(b"odd"));
    }
}
