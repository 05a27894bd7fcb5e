use super::*;

type Bytes = &'static [u8];

#[test]
fn words_of_an_indexed_query() {
    let cases: &[(&str, Bytes, &[Bytes])] = &[
        ("one word", b"word", &[b"word"]),
        ("several words", b"a+b+c", &[b"a", b"b", b"c"]),
        ("the same word twice", b"a+a", &[b"a", b"a"]),
        (
            "words are decoded after the split",
            b"a%2Bb+c%20d",
            &[b"a+b", b"c d"],
        ),
        ("an encoded equals sign", b"a%3Db", &[b"a=b"]),
        (
            "an encoded percent sign is decoded once",
            b"%2541",
            &[b"%41"],
        ),
        (
            "bytes beyond ASCII",
            b"%FF+k%c3%a4se",
            &[b"\xff", b"k\xc3\xa4se"],
        ),
        (
            "a shell's active characters are not touched",
            b"$(id);`w`&*",
            &[b"$(id);`w`&*"],
        ),
        ("a dash inside", b"a-b", &[b"a-b"]),
        ("an equals sign", b"a=b", &[]),
        ("an equals sign in the last word", b"a+b=", &[]),
        ("the empty query", b"", &[]),
        ("an empty word first", b"+a", &[]),
        ("an empty word between", b"a++b", &[]),
        ("an empty word last", b"a+", &[]),
        ("an option", b"-s", &[]),
        ("an encoded option", b"%2Ds", &[]),
        ("an option after a word", b"a+--version", &[]),
        ("an encoded NUL", b"a+b%00c", &[]),
        ("a percent sign alone", b"100%", &[]),
        ("half an escape", b"a%4", &[]),
        ("no hexadecimal digit", b"a%4g", &[]),
        ("an escape within an escape", b"%%34%31", &[]),
    ];
    for (description, query, words) in cases {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                indexed_query(method, Some(query)),
                *words,
                "{description}, {method}"
            );
        }
    }
}

#[test]
fn no_words_without_a_query_or_for_other_methods() {
    assert!(indexed_query("GET", None).is_empty());
    for method in ["POST", "PUT", "get", "OPTIONS", ""] {
        assert!(indexed_query(method, Some(b"a+b")).is_empty(), "{method}");
    }
}

#[test]
fn the_longest_query() {
    let longest = [b'a'; MAX_QUERY_LEN];
    assert_eq!(indexed_query("GET", Some(&longest)), [longest]);
    assert!(indexed_query("GET", Some(&[b'a'; MAX_QUERY_LEN + 1])).is_empty());
}
