//! Writes JSON.
//!
//! Source: RFC 8259. Shape: a [`Json`] is appended to, value by value, and keeps the commas itself. Rules:
//! a string holds any text; every control character in it is escaped, and so is `<`, so that a page could
//! quote it. What opens is closed by who opened it.

use std::fmt::Write;

/// A text of JSON on its way.
#[derive(Debug, Default)]
pub struct Json(String);

impl Json {
    /// Nothing yet.
    pub fn new() -> Json {
        Json::default()
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }

    /// A comma, where a value or a name stands before.
    fn separate(&mut self) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }

    /// Opens an object.
    pub fn object(&mut self) -> &mut Json {
        self.separate();
        self.0.push('{');
        self
    }

    /// Closes it.
    pub fn end_object(&mut self) -> &mut Json {
        self.0.push('}');
        self
    }

    /// Opens an array.
    pub fn array(&mut self) -> &mut Json {
        self.separate();
        self.0.push('[');
        self
    }

    /// Closes it.
    pub fn end_array(&mut self) -> &mut Json {
        self.0.push(']');
        self
    }

    /// The name of a member, whose value follows.
    #[inline(never)]
    pub fn name(&mut self, name: &str) -> &mut Json {
        self.string(name);
        self.0.push(':');
        self
    }

    /// A string.
    #[inline(never)]
    pub fn string(&mut self, text: &str) -> &mut Json {
        self.separate();
        self.0.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '<' => self.0.push_str("\\u003c"),
                _ if letter.is_control() => {
                    // Writing to a String cannot fail.
                    let _ = write!(self.0, "\\u{:04x}", letter as u32);
                }
                _ => self.0.push(letter),
            }
        }
        self.0.push('"');
        self
    }

    /// Bytes as a string; what is no UTF-8 is shown as U+FFFD.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Json {
        self.string(&String::from_utf8_lossy(bytes))
    }

    /// A whole number.
    pub fn number(&mut self, number: u64) -> &mut Json {
        self.separate();
        let _ = write!(self.0, "{number}");
        self
    }

    /// True or false.
    pub fn truth(&mut self, is_so: bool) -> &mut Json {
        self.separate();
        self.0.push_str(if is_so { "true" } else { "false" });
        self
    }

    /// Nothing.
    pub fn null(&mut self) -> &mut Json {
        self.separate();
        self.0.push_str("null");
        self
    }

    /// A string, or nothing.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Json {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// A member that is a string.
    #[inline(never)]
    pub fn text(&mut self, name: &str, text: &str) -> &mut Json {
        self.name(name).string(text)
    }

    /// A member that is a whole number.
    #[inline(never)]
    pub fn count(&mut self, name: &str, number: u64) -> &mut Json {
        self.name(name).number(number)
    }

    /// A member that is an array of strings.
    #[inline(never)]
    pub fn texts<T: AsRef<str>>(&mut self, name: &str, texts: &[T]) -> &mut Json {
        self.name(name).array();
        for text in texts {
            self.string(text.as_ref());
        }
        self.end_array()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let mut json = Json::new();
        json.object().text("a", "b:").count("n", u64::MAX);
        json.name("list").array().array().end_array().null();
        json.object().end_object().truth(true).end_array();
        json.texts("texts", &["[", "{", "]"])
            .name("none")
            .optional(None);
        json.end_object();
        let expected = "{\"a\":\"b:\",\"n\":18446744073709551615,\"list\":[[],null,{},true],\
                        \"texts\":[\"[\",\"{\",\"]\"],\"none\":null}";
        assert_eq!(json.finish(), expected);
    }

    #[test]
    fn a_string_is_one_whatever_is_in_it() {
        for (text, written) in [
            ("plain näme", "\"plain näme\""),
            ("\"quoted\" \\", r#""\"quoted\" \\""#),
            ("a\nb\r\t\0", r#""a\nb\u000d\u0009\u0000""#),
            ("\u{7f}\u{85}", r#""\u007f\u0085""#),
            ("</script>", r#""\u003c/script>""#),
        ] {
            let mut json = Json::new();
            json.string(text);
            assert_eq!(json.finish(), written);
        }
        let mut json = Json::new();
        json.bytes(b"a\xff");
        assert_eq!(json.finish(), "\"a\u{fffd}\"");
    }
}
