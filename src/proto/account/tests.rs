use super::*;

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
    # a comment\n\
    +::::::\n\
    half:x:7\n\
    odd:x:-1:5::/:\n\
    odd:x:+8:5::/:\n\
    none:x:4294967295:5::/:\n\
    www:x:33:34::/var/www:/usr/sbin/nologin\n\
    www:x:99:99::/:\n\
    1000:x:12:13::/:\n\
    last:*:65534:65533";

const GROUP: &[u8] = b"root:x:0:\n\
    tape:x:26:backup,www\n\
    half:x:27\n\
    www:x:34:\n\
    tape:x:26:www\n\
    wwww:x:35:www2,xwww\n\
    video:x:44:www";

#[test]
fn users_are_found_by_name_and_by_number() {
    for (wanted, found) in [
        ("root", Some((0, 0))),
        ("www", Some((33, 34))),
        ("33", Some((33, 34))),
        ("last", Some((65534, 65533))),
        ("0", Some((0, 0))),
        // Digits are a number, whatever users are called.
        ("1000", None),
        ("12", Some((12, 13))),
        ("half", None),
        ("odd", None),
        ("none", None),
        ("4294967295", None),
        ("+", None),
        ("ww", None),
        ("", None),
    ] {
        let account = find_user(PASSWD, wanted);
        assert_eq!(account.map(|it| (it.uid, it.gid)), found, "{wanted}");
    }
}

#[test]
fn groups_are_found_by_name_and_are_what_numbers_say() {
    for (wanted, found) in [
        ("tape", Some(26)),
        ("video", Some(44)),
        ("77", Some(77)),
        ("half", None),
        ("4294967295", None),
        ("4294967296", None),
        ("", None),
    ] {
        assert_eq!(find_group(GROUP, wanted), found, "{wanted}");
    }
}

#[test]
fn a_member_is_a_whole_name() {
    assert_eq!(groups_of(GROUP, b"www"), [26, 44]);
    assert_eq!(groups_of(GROUP, b"backup"), [26]);
    assert_eq!(groups_of(GROUP, b"www,backup"), [0; 0]);
    assert_eq!(groups_of(GROUP, b"root"), [0; 0]);
}
