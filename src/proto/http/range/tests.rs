use super::*;

fn satisfiable(ranges: &[(u64, u64)]) -> Ranges {
    Ranges::Satisfiable(
        ranges
            .iter()
            .map(|&(first, last)| ByteRange { first, last })
            .collect(),
    )
}

#[test]
fn sets_of_ranges() {
    type Case<'a> = (&'a str, u64, &'a [(u64, u64)]);
    let cases: &[Case<'_>] = &[
        ("bytes=0-0", 10, &[(0, 0)]),
        ("bytes=0-9", 10, &[(0, 9)]),
        ("bytes=0-", 10, &[(0, 9)]),
        ("bytes=9-", 10, &[(9, 9)]),
        ("bytes=3-100", 10, &[(3, 9)]),
        ("bytes=-3", 10, &[(7, 9)]),
        ("bytes=-10", 10, &[(0, 9)]),
        ("bytes=-11", 10, &[(0, 9)]),
        ("BYTES=1-2", 10, &[(1, 2)]),
        ("bytes=007-0008", 10, &[(7, 8)]),
        ("bytes=0-0,-1", 10, &[(0, 0), (9, 9)]),
        ("bytes= 0-0 ,\t2-3\t, ,, -1,", 10, &[(0, 0), (2, 3), (9, 9)]),
        // order is kept, neighbours and copies are not merged
        ("bytes=5-6,3-4,0-1", 10, &[(5, 6), (3, 4), (0, 1)]),
        ("bytes=1-2,1-2", 10, &[(1, 2), (1, 2)]),
        // ranges past the end are left out of a set that has others
        ("bytes=10-20,0-0,-0", 10, &[(0, 0)]),
        // numbers of any length
        ("bytes=0-18446744073709551615", 10, &[(0, 9)]),
        ("bytes=0-18446744073709551616", 10, &[(0, 9)]),
        ("bytes=0-99999999999999999999999999999999", 10, &[(0, 9)]),
        ("bytes=-99999999999999999999999999999999", 10, &[(0, 9)]),
        (
            "bytes=18446744073709551614-",
            u64::MAX,
            &[(u64::MAX - 1, u64::MAX - 1)],
        ),
    ];
    for (value, len, ranges) in cases {
        assert_eq!(
            resolve(value.as_bytes(), *len),
            satisfiable(ranges),
            "{value} of {len}"
        );
    }
}

#[test]
fn nothing_within_the_file_is_unsatisfiable() {
    let cases = [
        "bytes=10-",
        "bytes=10-10",
        "bytes=-0",
        "bytes=-000",
        "bytes=10-,11-12,-0",
        "bytes=18446744073709551616-",
        "bytes=99999999999999999999-99999999999999999999",
    ];
    for value in cases {
        assert_eq!(
            resolve(value.as_bytes(), 10),
            Ranges::Unsatisfiable,
            "{value}"
        );
    }
}

#[test]
fn what_is_no_set_of_byte_ranges_is_ignored() {
    let cases: &[&[u8]] = &[
        b"",
        b"bytes",
        b"bytes=",
        b"bytes= , ,",
        b"bytes 0-1",
        b"bytes =0-1",
        b" bytes=0-1",
        b"byte=0-1",
        b"lines=0-1",
        b"bytes=0",
        b"bytes=-",
        b"bytes=--1",
        b"bytes=1--2",
        b"bytes=1-2-3",
        b"bytes=2-1",
        b"bytes=+1-2",
        b"bytes=1-+2",
        b"bytes=-+2",
        b"bytes=0x1-2",
        b"bytes=1 - 2",
        b"bytes=1- 2",
        b"bytes=a-b",
        b"bytes=0-1;2-3",
        b"bytes=0-1,x",
        b"bytes=0-1,3-2",
        b"bytes=20-10",
        b"bytes=\xb2-\xb3",
        b"bytes=bytes=0-1",
    ];
    for value in cases {
        assert_eq!(
            resolve(value, 10),
            Ranges::Ignore,
            "{}",
            value.escape_ascii()
        );
    }
}

#[test]
fn an_empty_file_is_sent_whole() {
    for value in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"] {
        assert_eq!(resolve(value.as_bytes(), 0), Ranges::Ignore, "{value}");
    }
}

#[test]
fn too_many_or_too_long_ranges_are_ignored() {
    let set = |count: usize, spec: &str| format!("bytes={}", vec![spec; count].join(","));
    assert_eq!(
        resolve(set(16, "1-1").as_bytes(), 100),
        satisfiable(&[(1, 1); 16])
    );
    assert_eq!(resolve(set(17, "1-1").as_bytes(), 100), Ranges::Ignore);
    // those past the end count as well
    assert_eq!(
        resolve(set(16, "100-").as_bytes(), 100),
        Ranges::Unsatisfiable
    );
    assert_eq!(resolve(set(17, "100-").as_bytes(), 100), Ranges::Ignore);
    // together as long as the file, and a byte longer
    assert_eq!(
        resolve(b"bytes=50-,0-49", 100),
        satisfiable(&[(50, 99), (0, 49)])
    );
    assert_eq!(resolve(b"bytes=50-,0-50", 100), Ranges::Ignore);
    assert_eq!(resolve(b"bytes=0-,-1", u64::MAX), Ranges::Ignore);
}

/// Every set of two ranges with numbers up to 6, against files up to 5 bytes, as the standard says it
/// byte by byte: an offset belongs to a range or not.
#[test]
fn agrees_with_a_model_that_looks_at_every_byte() {
    #[derive(Clone, Copy)]
    enum Spec {
        Closed(u64, u64),
        Open(u64),
        Suffix(u64),
    }
    let covers = |spec: Spec, offset: u64, len: u64| match spec {
        Spec::Closed(first, last) => offset >= first && offset <= last,
        Spec::Open(first) => offset >= first,
        Spec::Suffix(length) => len - offset <= length,
    };
    let written = |spec: Spec| match spec {
        Spec::Closed(first, last) => format!("{first}-{last}"),
        Spec::Open(first) => format!("{first}-"),
        Spec::Suffix(length) => format!("-{length}"),
    };
    let numbers = 0..=6u64;
    let mut specs: Vec<Spec> = numbers.clone().map(Spec::Open).collect();
    specs.extend(numbers.clone().map(Spec::Suffix));
    specs.extend(
        numbers
            .clone()
            .flat_map(|a| numbers.clone().map(move |b| Spec::Closed(a, b))),
    );

    for len in 1..=5 {
        for &one in &specs {
            for &two in &specs {
                let reversed = |spec| matches!(spec, Spec::Closed(first, last) if last < first);
                let covered: Vec<Vec<u64>> = [one, two]
                    .map(|spec| {
                        (0..len)
                            .filter(|&at| covers(spec, at, len))
                            .collect::<Vec<_>>()
                    })
                    .into_iter()
                    .filter(|offsets| !offsets.is_empty())
                    .collect();
                let expected =
                    if reversed(one) || reversed(two) || covered.concat().len() as u64 > len {
                        Ranges::Ignore
                    } else if covered.is_empty() {
                        Ranges::Unsatisfiable
                    } else {
                        let ends = covered
                            .iter()
                            .map(|offsets| (offsets[0], offsets[offsets.len() - 1]));
                        satisfiable(&ends.collect::<Vec<_>>())
                    };
                let value = format!("bytes={},{}", written(one), written(two));
                assert_eq!(resolve(value.as_bytes(), len), expected, "{value} of {len}");
            }
        }
    }
}

#[test]
fn content_range_tells_offsets_and_length() {
    let range = ByteRange {
        first: 0,
        last: u64::MAX - 1,
    };
    assert_eq!(range.len(), u64::MAX);
    assert_eq!(
        content_range(&range, u64::MAX),
        b"bytes 0-18446744073709551614/18446744073709551615"
    );
    assert_eq!(unsatisfied(0), b"bytes */0");
}

#[test]
fn a_multipart_body_is_as_long_as_it_says() {
    let file = b"0123456789";
    let ranges = [
        ByteRange { first: 8, last: 9 },
        ByteRange { first: 0, last: 0 },
    ];
    let layout = multipart(&ranges, 10, b"text/plain", "B");
    let mut body = Vec::new();
    for (head, range) in layout.part_heads.iter().zip(&ranges) {
        body.extend_from_slice(head);
        body.extend_from_slice(&file[range.first as usize..=range.last as usize]);
    }
    body.extend_from_slice(&layout.close);
    let expected = "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
                    \r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0\
                    \r\n--B--\r\n";
    assert_eq!(str::from_utf8(&body), Ok(expected));
    assert_eq!(layout.len, body.len() as u64);
    assert_eq!(multipart_type("B"), b"multipart/byteranges; boundary=B");
}
