use super::*;

fn encoded(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        encode_pair(&mut out, name, value);
    }
    out
}

/// The parameters that the specification's appendix B begins its examples with.
const EXAMPLE: &[u8] = b"\x0b\x02SERVER_PORT80\x0b\x0eSERVER_ADDR199.170.183.42";

#[test]
fn the_example_of_the_specification() {
    let pairs: [Pair<'_>; 2] = [(b"SERVER_PORT", b"80"), (b"SERVER_ADDR", b"199.170.183.42")];
    assert_eq!(encoded(&pairs), EXAMPLE);
    assert_eq!(decode_pairs(EXAMPLE), Ok(pairs.to_vec()));
}

#[test]
fn lengths() {
    let rows: &[(usize, &[u8])] = &[
        (0, b"\x00"),
        (1, b"\x01"),
        (127, b"\x7f"),
        (128, b"\x80\x00\x00\x80"),
        (255, b"\x80\x00\x00\xff"),
        (256, b"\x80\x00\x01\x00"),
        (65_535, b"\x80\x00\xff\xff"),
        (65_536, b"\x80\x01\x00\x00"),
        (0x0123_4567, b"\x81\x23\x45\x67"),
        (0x7fff_ffff, b"\xff\xff\xff\xff"),
    ];
    for &(len, expected) in rows {
        assert_eq!(encode_len(len).unwrap().as_slice(), expected, "{len}");
        let mut rest = &[expected, b"name"].concat()[..];
        assert_eq!(decode_len(&mut rest), Ok(len));
        assert_eq!(rest, b"name", "{len}");
    }
    assert_eq!(encode_len(0x8000_0000), None);
    assert_eq!(encode_len(usize::MAX), None);
}

#[test]
fn pairs_of_every_form() {
    let long = [b'x'; 300];
    let lens = [0, 1, 127, 128, 300];
    for name in lens.map(|len| &long[..len]) {
        for value in lens.map(|len| &long[..len]) {
            let pairs = [(name, value), (b"NEXT", b"\0\x80\xff"), (value, name)];
            assert_eq!(decode_pairs(&encoded(&pairs)), Ok(pairs.to_vec()));
        }
    }
    assert_eq!(decode_pairs(b""), Ok(Vec::new()));
    assert_eq!(decode_pairs(b"\0\0"), Ok(vec![(&b""[..], &b""[..])]));

    let short_in_four_bytes = b"\x80\0\0\x01\x80\0\0\x02ABC";
    let pair: Pair<'_> = (b"A", b"BC");
    assert_eq!(decode_pairs(short_in_four_bytes), Ok(vec![pair]));
}

#[test]
fn a_stream_that_is_cut() {
    let long = [b'x'; 130];
    let pairs: [Pair<'_>; 4] = [(b"A", b"b"), (b"", b""), (&long, b"c"), (b"D", &long)];
    let whole = encoded(&pairs);
    let mut borders: Vec<usize> = (0..=pairs.len())
        .map(|count| encoded(&pairs[..count]).len())
        .collect();
    for len in 0..=whole.len() {
        let expected = match borders.iter().position(|&border| border == len) {
            Some(count) => Ok(pairs[..count].to_vec()),
            None => Err(Malformed),
        };
        assert_eq!(decode_pairs(&whole[..len]), expected, "{len} bytes");
    }
    borders.dedup();
    assert_eq!(borders.len(), 5);
}

#[test]
fn claims_that_are_not_kept() {
    let rows: &[(&str, &[u8])] = &[
        ("a name of 4 GiB", b"\xff\xff\xff\xff\x00NAME"),
        ("a value of 4 GiB", b"\x04\xff\xff\xff\xffNAMEvalue"),
        (
            "two whose sum is more than 32 bits",
            b"\xff\xff\xff\xff\xff\xff\xff\xffNAME",
        ),
        ("a name of 2 GiB", b"\xc0\x00\x00\x00\x00NAME"),
        ("a value longer by one", b"\x04\x06NAMEvalue"),
        ("a name longer by one", b"\x05\x00NAME"),
        ("a length alone", b"\x00"),
        ("a cut length", b"\x80\x00\x00"),
        ("a cut second length", b"\x01\x80\x00\x00"),
        ("a good pair before", b"\x01\x01Ab\xff\xff\xff\xff\x00"),
    ];
    for (what, input) in rows {
        assert_eq!(decode_pairs(input), Err(Malformed), "{what}");
    }
}

#[test]
fn values_of_some_size() {
    let value = vec![b'v'; 200 * 1024];
    let pairs: [Pair<'_>; 2] = [(b"GREAT", &value), (b"SMALL", b"1")];
    assert_eq!(decode_pairs(&encoded(&pairs)), Ok(pairs.to_vec()));
}
