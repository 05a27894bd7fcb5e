//! A static root in a folder of its own, and the answers it gives.

use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use crate::config::Listing;
use crate::handler::cache::Cache;
use crate::handler::static_file::{FileRequest, StaticRoot, respond};
use crate::handler::{Body, Response};
use crate::proto::http::head::{HeadLimits, RequestHead};
use crate::proto::uri::path::UrlPath;
use crate::sys::beneath::{Links, Root};
use crate::sys::testing::TempDir;

pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) site: StaticRoot,
    pub(crate) cache: Cache,
    /// By default late enough for every file to have settled.
    pub(crate) now: u64,
}

/// A response with its body in one piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: String,
    pub(crate) body: String,
    pub(crate) reason: Option<&'static str>,
}

impl Site {
    pub(crate) fn new() -> Site {
        let dir = TempDir::new();
        let site = StaticRoot {
            number: 0,
            root: Root::open(dir.path(), Links::Within).unwrap(),
            index: vec!["index.html".into(), "index.php".into()],
            listing: Listing::Off,
            is_script: Box::new(|name| name.to_ascii_lowercase().ends_with(b".php")),
            has_scripts: true,
            hidden: Vec::new(),
        };
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        Site {
            dir,
            site,
            cache: Cache::new(),
            now: since_epoch.as_secs() + 100,
        }
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    /// `fields` are whole lines, each with its CR LF.
    pub(crate) fn ask(&self, method: &str, target: &str, fields: &str) -> Reply {
        let text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let mut head = RequestHead::default();
        head.parse(text.as_bytes(), &HeadLimits::default()).unwrap();
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let path = UrlPath::decode(path.as_bytes()).unwrap();
        let request = FileRequest {
            head: &head,
            method,
            path: &path,
            rest: &path.as_bytes()[1..],
            query: query.map(str::as_bytes),
            now: self.now,
        };
        Reply::from(respond(&self.site, &self.cache, &request))
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply {
            status: response.head.status.as_u16(),
            fields: String::from_utf8(response.head.block).unwrap(),
            body: String::from_utf8_lossy(&read(response.body)).into_owned(),
            reason: response.reason.map(|reason| reason.code()),
        }
    }
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .fields
            .split_terminator("\r\n")
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn read(body: Body) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes,
        Body::Shared(bytes) => bytes.to_vec(),
        Body::File { file, first, len } => {
            let mut bytes = vec![0; usize::try_from(len).unwrap()];
            file.read_exact_at(&mut bytes, first).unwrap();
            bytes
        }
        Body::Parts(parts) => parts.into_iter().flat_map(read).collect(),
    }
}
