//! The frame of the few pages that the server itself writes.
//!
//! Rules: a page asks for nothing else: one small style inside, no script, readable on a phone, by
//! day and by night. Whatever comes from a file name or a request goes through [`escape`].

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:2rem 1rem}\
h1{font-size:1.4rem;font-weight:600;overflow-wrap:anywhere}\
h2{font-size:.85rem;font-weight:600;margin:1.5rem 0 .4rem;overflow-wrap:anywhere}\
pre,.m{font:.85rem/1.5 ui-monospace,monospace;margin:0;padding:.7rem .9rem;border-radius:.4rem;\
background:light-dark(#f3f3f1,#222);border-left:3px solid light-dark(#c0392b,#ff8a7a);white-space:pre-wrap;\
overflow-wrap:anywhere}\
h2::first-letter{text-transform:uppercase}pre~footer{margin-top:1.6rem}\
.m{border-color:light-dark(#1f7a3d,#6fd08c)}\
a{color:light-dark(#0a58a8,#8cc2ff);text-decoration:none}a:hover{text-decoration:underline}\
table{width:100%;border-collapse:collapse}\
td{padding:.3rem .5rem;border-top:1px solid #8884;vertical-align:top}\
td:first-child{padding-left:0;overflow-wrap:anywhere}\
td+td,footer{color:light-dark(#666,#aaa);font-size:.85rem}td+td{text-align:right;white-space:nowrap}\
@media(max-width:34rem){tr{display:grid;grid-template-columns:1fr auto;border-top:1px solid #8884}\
td{border:0}td:last-child{grid-column:1/-1;padding:0 0 .3rem;text-align:left}}";

/// What a page is.
pub const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// A whole page: `title` is plain text, `main` is HTML.
pub fn page(title: &str, main: &str) -> Vec<u8> {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n{main}</html>\n"
    )
    .into_bytes()
}

/// `text` with the five characters that mean something in HTML text or in a quoted attribute
/// replaced, and control characters, which HTML forbids, shown as U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let cases = [
            ("plain näme", "plain näme"),
            ("<script>\"'&", "&lt;script&gt;&quot;&#39;&amp;"),
            ("a\u{7}b\u{85}c\n", "a\u{fffd}b\u{fffd}c\u{fffd}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
        let page = String::from_utf8(page("a<b", "<p>main</p>\n")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        assert!(page.contains("<title>a&lt;b</title>") && page.contains("<p>main</p>"));
        assert!(!page.contains("<script"));
    }
}
