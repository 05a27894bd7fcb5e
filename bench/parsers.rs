//! How long the pure parsers take: `make bench-parsers`.
//!
//! One case for each thing that is done for every request, with bytes as they are met in the wild: a
//! browser's request, curl's, a page of a program. They guard against drift, by being looked at; no
//! test asserts a time. Values are refilled where the server refills them.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tollgate::proto::Parsed;
use tollgate::proto::cgi;
use tollgate::proto::cgi::meta::{
    Authorization, Interpreter, MetaVariables, Scheme, ScriptRequest,
};
use tollgate::proto::http::chunked::{
    CHUNK_END, CHUNK_SIZE_LEN, ChunkedDecoder, LAST_CHUNK, Step, encode_chunk_size,
};
use tollgate::proto::http::framing::request_body;
use tollgate::proto::http::head::{HeadLimits, RequestHead};
use tollgate::proto::http::response::{BodyPlan, Connection, ResponseHead, encode_head};
use tollgate::proto::http::status::StatusCode;
use tollgate::proto::uri::path::UrlPath;

const CURL: &[u8] = b"GET /hello.txt HTTP/1.1\r\n\
    Host: 127.0.0.1:8080\r\n\
    User-Agent: curl/7.88.1\r\n\
    Accept: */*\r\n\r\n";

const BROWSER: &[u8] = b"GET /cgi-bin/guestbook.py?page=3&order=newest HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://www.example.org/programs.html\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Priority: u=0, i\r\n\r\n";

const POST: &[u8] = b"POST /cgi-bin/form.py HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\
    Content-Length: 4711\r\n\r\n";

const PAGE: &[u8] = b"Content-Type: text/html; charset=utf-8\n\
    Cache-Control: no-store\n\
    Set-Cookie: session=0123456789abcdef; HttpOnly; SameSite=Lax\n\
    Status: 200 OK\n\n\
    <!doctype html>\n<title>A page</title>\n";

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

fn main() {
    divan::main();
}

fn head_of(bytes: &[u8]) -> RequestHead {
    let mut head = RequestHead::default();
    let parsed = head.parse(bytes, &HeadLimits::default());
    assert!(matches!(parsed, Ok(Parsed::Complete { used, .. }) if used == bytes.len()));
    head
}

/// A request by the name that is printed.
fn sent_by(name: &str) -> &'static [u8] {
    match name {
        "curl" => CURL,
        "form" => POST,
        _ => BROWSER,
    }
}

#[divan::bench(args = ["curl", "browser"], name = "head of a request")]
fn request_head(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = sent_by(name);
    let mut head = head_of(bytes);
    let limits = HeadLimits::default();
    bencher
        .counter(BytesCount::of_slice(bytes))
        .bench_local(|| head.parse(black_box(bytes), &limits).is_ok());
}

#[divan::bench(args = ["browser", "form"], name = "framing of a request")]
fn framing(bencher: Bencher<'_, '_>, name: &str) {
    let head = head_of(sent_by(name));
    bencher.bench_local(|| request_body(black_box(&head)));
}

#[divan::bench(args = [16, 4096], name = "chunked body of 64 KiB")]
fn chunked(bencher: Bencher<'_, '_>, chunk: usize) {
    let mut body = Vec::new();
    for _ in 0..65_536 / chunk {
        let mut line = [0; CHUNK_SIZE_LEN];
        body.extend_from_slice(encode_chunk_size(&mut line, chunk as u64));
        body.resize(body.len() + chunk, b'x');
        body.extend_from_slice(CHUNK_END);
    }
    body.extend_from_slice(LAST_CHUNK);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| dechunked_len(black_box(&body)));
}

fn dechunked_len(mut input: &[u8]) -> usize {
    let mut decoder = ChunkedDecoder::default();
    let mut len = 0;
    while let Ok(Step::Data { bytes, used }) = decoder.step(input) {
        len += bytes.len();
        input = &input[used..];
    }
    len
}

#[divan::bench(
    args = ["/hello.txt", "/a/b/../c/./d/index.html", "/caf%C3%A9/%E6%97%A5%E6%9C%AC/a%20b.html"],
    name = "path of a URL"
)]
fn path(bencher: Bencher<'_, '_>, raw: &str) {
    bencher.bench_local(|| UrlPath::decode(black_box(raw.as_bytes())).is_ok());
}

#[divan::bench(name = "header of a program")]
fn cgi_response(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_slice(PAGE))
        .bench_local(|| cgi::response::parse(black_box(PAGE), 16 * 1024));
}

#[divan::bench(name = "head of a response")]
fn response_head(bencher: Bencher<'_, '_>) {
    let mut head = ResponseHead::new(StatusCode::OK);
    head.field("Content-Type", "text/plain; charset=utf-8");
    head.field("Last-Modified", DATE);
    head.field("ETag", "\"65a1b2c3-c\"");
    head.field("Accept-Ranges", "bytes");
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        let plan = BodyPlan::Length(black_box(12));
        encode_head(&mut out, head.as_head_ref(), plan, Connection::Keep, DATE);
        out.len()
    });
}

fn script_request() -> ScriptRequest<'static> {
    ScriptRequest {
        method: "GET",
        version: "HTTP/1.1",
        script_name: b"/cgi-bin/guestbook.py",
        path_info: b"",
        query: Some(b"page=3&order=newest"),
        request_uri: b"/cgi-bin/guestbook.py?page=3&order=newest",
        server_name: "www.example.org",
        server_port: 80,
        server_addr: "192.0.2.1",
        remote_addr: "198.51.100.7",
        remote_port: Some(50_123),
        scheme: Scheme::Http,
        content_length: None,
        document_root: Some(b"/srv/www"),
        script_filename: b"/srv/cgi-bin/guestbook.py",
        for_interpreter: Interpreter::None,
        auth: None,
        pass_authorization: Authorization::Withheld,
        granted: &[],
        extra: &[],
    }
}

#[divan::bench(name = "meta-variables")]
fn meta_variables(bencher: Bencher<'_, '_>) {
    let (head, request) = (head_of(BROWSER), script_request());
    let mut variables = MetaVariables::default();
    bencher.bench_local(|| variables.refill(black_box(&request), head.field_lines()));
}

/// What is said to and heard from an application.
#[cfg(feature = "fastcgi")]
mod fastcgi {
    use divan::counter::BytesCount;
    use divan::{Bencher, black_box};
    use tollgate::proto::cgi::meta::MetaVariables;
    use tollgate::proto::fastcgi::record::{
        EndRequest, KeepConn, ProtocolStatus, RecordHeader, RecordType, Role,
    };
    use tollgate::proto::fastcgi::request::{REQUEST_ID, encode_begin};
    use tollgate::proto::fastcgi::response::{Event, ResponseDecoder};

    #[divan::bench(name = "FastCGI request")]
    fn request(bencher: Bencher<'_, '_>) {
        let head = super::head_of(super::BROWSER);
        let mut variables = MetaVariables::default();
        let refilled = variables.refill(&super::script_request(), head.field_lines());
        assert_eq!(refilled, Ok(()));
        let mut out = Vec::new();
        bencher.bench_local(|| {
            out.clear();
            let variables = black_box(&variables).iter();
            encode_begin(&mut out, Role::Responder, KeepConn::Keep, variables);
            out.len()
        });
    }

    /// An answer in records of so many bytes.
    fn answer(len: usize, record: u16) -> Vec<u8> {
        let header = |record_type: RecordType, content_len, padding_len| {
            RecordHeader {
                record_type: record_type.into(),
                request_id: REQUEST_ID,
                content_len,
                padding_len,
            }
            .encode()
        };
        let mut bytes = Vec::new();
        for _ in 0..len / usize::from(record) {
            bytes.extend_from_slice(&header(RecordType::Stdout, record, 0));
            bytes.resize(bytes.len() + usize::from(record), b'x');
        }
        bytes.extend_from_slice(&header(RecordType::Stdout, 0, 0));
        bytes.extend_from_slice(&header(RecordType::EndRequest, 8, 0));
        let end = EndRequest {
            app_status: 0,
            protocol_status: ProtocolStatus::RequestComplete,
        };
        bytes.extend_from_slice(&end.encode());
        bytes
    }

    #[divan::bench(args = [(64, 64), (1 << 20, 8192)], name = "FastCGI answer (bytes, record)")]
    fn response(bencher: Bencher<'_, '_>, (len, record): (usize, u16)) {
        let bytes = answer(len, record);
        assert_eq!(output_len(&bytes), len);
        bencher
            .counter(BytesCount::of_slice(&bytes))
            .bench_local(|| output_len(black_box(&bytes)));
    }

    fn output_len(mut input: &[u8]) -> usize {
        let mut decoder = ResponseDecoder::default();
        let mut len = 0;
        while let Ok(Some(event)) = decoder.next(&mut input) {
            match event {
                Event::Stdout(bytes) => len += bytes.len(),
                Event::End(_) => break,
                Event::Stderr(_) | Event::UnknownManagement(_) => {}
            }
        }
        len
    }
}
