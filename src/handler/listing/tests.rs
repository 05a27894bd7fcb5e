use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use super::*;
use crate::config::Listing;
use crate::handler::testing::Site;

fn site() -> Site {
    let mut site = Site::new();
    site.site.listing = Listing::On;
    site
}

/// The links of a page, in their order.
fn links(page: &str) -> Vec<&str> {
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[test]
fn names_are_sorted_as_a_person_would() {
    let site = site();
    for name in [
        "b10.txt", "b9.txt", "B1.txt", "a.txt", "\u{c9}a", "007", "7", "z/x", "Y/x",
    ] {
        site.dir.write(format!("f/{name}"), "");
    }
    let expected = [
        "../", "Y/", "z/", "007", "7", "a.txt", "B1.txt", "b9.txt", "b10.txt", "%C3%89a",
    ];
    assert_eq!(links(&site.get("/f/").body), expected);
}

#[test]
fn nothing_is_shown_that_cannot_be_asked_for() {
    let mut site = site();
    for name in [
        ".env",
        ".git/config",
        "bell\u{7}",
        "cgi-bin/x",
        "run.php",
        "plain",
    ] {
        site.dir.write(name, "");
    }
    site.dir.link("/etc", "etc");
    site.dir.link("plain", "link");
    site.dir.link("missing", "dangling");
    site.dir.link("cgi-bin", "programs");
    site.dir.fifo("fifo");
    site.site.hidden = vec![site.dir.path().join("cgi-bin")];
    assert_eq!(links(&site.get("/").body), ["link", "plain", "run.php"]);
}

#[test]
fn names_are_text_and_links_lead_to_them() {
    let site = site();
    let names: [&[u8]; 7] = [
        b"<script>alert(1)<",
        b"\"quoted\" 'and' &amp;",
        b"a b#c?d%25",
        b"javascript:alert(1)",
        b"back\\slash",
        b"\xff\xfe",
        "sn\u{f6}.txt".as_bytes(),
    ];
    fs::create_dir(site.dir.path().join("f")).unwrap();
    for name in names {
        fs::write(
            site.dir.path().join("f").join(OsStr::from_bytes(name)),
            name,
        )
        .unwrap();
    }
    let page = site.get("/f/").body;
    assert!(!page.contains("<script") && !page.contains("\"quoted\"") && !page.contains("'and'"));
    let links = links(&page);
    assert_eq!(links.len(), 1 + names.len());
    for link in &links[1..] {
        assert!(!link.contains(':'), "{link}");
        let reply = site.get(&format!("/f/{link}"));
        assert_eq!(reply.status, 200, "{link}");
        assert!(
            names
                .iter()
                .any(|name| String::from_utf8_lossy(name) == reply.body),
            "{link}"
        );
    }
}

#[test]
fn a_page_is_small_and_says_what_it_lists() {
    let site = site();
    site.dir.write("a<b/file", "x".repeat(1536));
    let file = File::options()
        .write(true)
        .open(site.dir.path().join("a<b/file"))
        .unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
    let reply = site.get("/a%3Cb/");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert!(reply.body.contains("<title>Index of /a&lt;b/</title>"));
    assert!(reply.body.contains("<td>1.5 KiB<td>06 Nov 1994 08:49\n"));
    assert_eq!(site.get("/a%3Cb").status, 301);
    site.dir.write("a<b/index.html", "index");
    assert_eq!(site.get("/a%3Cb/").body, "index");
}

#[test]
fn a_cut_listing_says_so() {
    let path = UrlPath::decode(b"/").unwrap();
    let render = |rest| String::from_utf8(render(&path, Vec::new(), rest)).unwrap();
    assert!(render(Rest::More).contains("only 10000 names are shown"));
    assert!(!render(Rest::None).contains("only"));
}

#[test]
fn sizes() {
    let cases = [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_048_524, "1023.9 KiB"),
        (1_048_575, "1.0 MiB"),
        (1_073_741_824, "1.0 GiB"),
        (u64::MAX, "16.0 EiB"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(readable_size(bytes), expected);
    }
}
