//! Tells the media type of a file by the extension of its name.
//!
//! Source: IANA's registry, whole through mime_guess, or the common part of it in a table where the feature
//! `mime` is left out (100 KiB less); RFC 9239 (JavaScript), RFC 7763 (Markdown). Rules:
//! - Text is sent as UTF-8. XML is not: it names its own encoding, which a charset parameter would
//!   override (RFC 7303 section 3). JSON has no such parameter (RFC 8259 section 11).
//! - An unknown extension is `application/octet-stream`, which a browser saves and does not run.

use std::fmt;

/// Where mime_guess knows nothing, or an older name that browsers act on differently.
#[cfg(feature = "mime")]
const OWN: [(&str, &str); 7] = [
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("otf", "font/otf"),
    ("ts", "video/mp2t"),
    ("woff", "font/woff"),
    ("zst", "application/zstd"),
];

/// What is commonly found on web sites.
#[cfg(not(feature = "mime"))]
const OWN: [(&str, &str); 62] = [
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("c", "text/plain"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("h", "text/plain"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("jsonld", "application/ld+json"),
    ("jxl", "image/jxl"),
    ("log", "text/plain"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpd", "application/dash+xml"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("ts", "video/mp2t"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain"),
    ("vtt", "text/vtt"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "text/xml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

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
    let own = OWN
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension));
    own.map(|(_, essence)| *essence)
        .or_else(|| registered(extension))
}

#[cfg(feature = "mime")]
fn registered(extension: &str) -> Option<&'static str> {
    mime_guess::MimeGuess::from_ext(extension).first_raw()
}

#[cfg(not(feature = "mime"))]
fn registered(_: &str) -> Option<&'static str> {
    None
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
            ("font.woff", "font/woff"),
            ("font.otf", "font/otf"),
            ("song.m4a", "audio/mp4"),
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

    #[cfg(feature = "mime")]
    #[test]
    fn seldom_seen_types() {
        for (name, expected) in [
            ("a.ods", "application/vnd.oasis.opendocument.spreadsheet"),
            ("a.odt", "application/vnd.oasis.opendocument.text"),
        ] {
            assert_eq!(MediaType::of(name.as_bytes()).to_string(), expected);
        }
    }
}
