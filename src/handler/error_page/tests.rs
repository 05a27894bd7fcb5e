use super::*;
use crate::handler::testing::{Reply, Site};

fn frame<'a>(form: Form, site: Option<&'a Site>) -> Frame<'a> {
    Frame {
        request_id: "7f<3",
        form,
        site: site.map(|site| (&site.site, &site.cache)),
        now: site.map_or(0, |site| site.now),
        finding: None,
        times: &[],
    }
}

#[test]
fn a_page_says_the_status_the_meaning_and_the_request() {
    let reply = Reply::from(error_response(
        Reason::FileNotFound,
        &frame(Form::Html, None),
    ));
    assert_eq!((reply.status, reply.reason), (404, Some("file.not-found")));
    assert_eq!(
        reply.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.field("Cache-Control"), Some("no-store"));
    assert!(reply.body.contains("<title>404 Not Found</title>"));
    assert!(reply.body.contains("There is no such file."));
    assert!(reply.body.contains("Request 7f&lt;3"));

    let reply = Reply::from(error_response(
        Reason::FileNotFound,
        &frame(Form::Text, None),
    ));
    assert_eq!(
        reply.field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        reply.body,
        "404 Not Found\nThere is no such file.\nRequest 7f<3\n"
    );
}

#[test]
fn a_fault_of_ours_is_not_explained() {
    for reason in Reason::ALL
        .iter()
        .filter(|reason| reason.status().as_u16() >= 500)
    {
        for form in [Form::Html, Form::Text] {
            let reply = Reply::from(error_response(*reason, &frame(form, None)));
            assert!(!reply.body.contains(reason.meaning()), "{}", reason.code());
            assert!(reply.body.contains("its log") || reply.body.contains("Its log"));
        }
    }
}

#[test]
fn a_file_of_the_root_stands_in_for_our_page() {
    let mut site = Site::new();
    site.dir.write("404.html", "ours");
    site.dir.write("404.html.gz", "zipped");
    site.dir.link("/etc/passwd", "403.html");
    site.dir.write("500.html/x", "a folder");
    let ask =
        |site: &Site, reason| Reply::from(error_response(reason, &frame(Form::Text, Some(site))));
    for now in [site.now, site.now, 0] {
        site.now = now;
        let reply = ask(&site, Reason::FileNotFound);
        assert_eq!((reply.status, reply.body.as_str()), (404, "ours"));
        assert_eq!(
            reply.field("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(reply.field("Cache-Control"), Some("no-store"));
        for absent in ["ETag", "Last-Modified", "Accept-Ranges", "Content-Encoding"] {
            assert_eq!(reply.field(absent), None);
        }
    }
    assert!(
        ask(&site, Reason::FileDenied)
            .body
            .starts_with("403 Forbidden\n")
    );
    assert!(
        ask(&site, Reason::FileFailed)
            .body
            .starts_with("500 Internal Server Error\n")
    );
    assert_eq!(site.get("/404.html").status, 200);
    site.dir.write("404.html", "newer");
    assert_eq!(ask(&site, Reason::RouteNone).body, "newer");
}

#[test]
fn the_fields_of_a_bare_response_stay_and_others_are_left_alone() {
    let site = Site::new();
    site.dir.write("file", "content");
    let mut response = Response::refused(Reason::FileMethod);
    response.head.field("Allow", "GET");
    let reply = Reply::from(explain(response, &frame(Form::Text, None)));
    assert_eq!((reply.status, reply.field("Allow")), (405, Some("GET")));
    assert!(reply.body.starts_with("405 Method Not Allowed\n"));

    let mut response = Response::refused(Reason::FileFailed);
    response.body = Body::Bytes(b"own".to_vec());
    assert_eq!(
        Reply::from(explain(response, &frame(Form::Text, None))).body,
        "own"
    );

    let mut response = Response::refused(Reason::FileFailed);
    response.reason = None;
    assert_eq!(
        Reply::from(explain(response, &frame(Form::Text, None))).body,
        ""
    );
}

#[test]
fn a_run_is_shown_with_what_happened_when() {
    assert_eq!(timeline(&[]), "");
    let shown = timeline(&[
        ("started", 250),
        ("first byte", 1_000_250),
        ("exit", 2_000_000),
    ]);
    for part in [
        "<td>started</td><td><meter min=\"0\" max=\"100\" value=\"1\">1 %</meter></td><td>0.000250 s</td>",
        "value=\"50\">50 %</meter></td><td>1.000250 s</td>",
        "<td>exit</td>",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
