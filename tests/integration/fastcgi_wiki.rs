//! DokuWiki on php-fpm, as Debian installs it: a whole application, used as a visitor uses it. It is
//! skipped, and says so, where one of the two is not installed, except with `CI=true`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::fastcgi_php::php_fpm;
use crate::support::{Fpm, PATIENCE, Response, Server, Site, eventually, not_installed};

/// A visitor, who keeps cookies and does not follow redirects.
struct Visitor<'s> {
    server: &'s Server,
    cookies: BTreeMap<String, String>,
}

impl Visitor<'_> {
    fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, "")
    }

    /// Sends a form.
    fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Response {
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        self.ask("POST", target, &pairs.collect::<Vec<_>>().join("&"))
    }

    fn ask(&mut self, method: &str, target: &str, body: &str) -> Response {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = format!("Cookie: {}", cookies.collect::<Vec<_>>().join("; "));
        let fields = ["Content-Type: application/x-www-form-urlencoded", &cookies];
        let response = self.server.fetch(method, target, &fields, body.as_bytes());
        for cookie in response.values("Set-Cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_string(), value.to_string());
        }
        response
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The value of a field of a form that the visitor does not see.
fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&field)
        .unwrap_or_else(|| panic!("no {name} in\n{page}"));
    rest.split_once('"').unwrap().0
}

/// A wiki of the test's own: settings, one user, and folders for the pages.
fn set_up(site: &Site) -> String {
    for folder in [
        "attic",
        "cache",
        "index",
        "locks",
        "log",
        "media",
        "media_attic",
        "media_meta",
        "meta",
        "pages",
        "tmp",
    ] {
        fs::create_dir_all(site.path("wiki/data").join(folder)).unwrap();
    }
    let data = site.text("wiki/data");
    site.file(
        "wiki/conf/local.php",
        format!(
            "<?php $conf['title'] = 'A Wiki'; $conf['savedir'] = '{data}'; $conf['useacl'] = 1;\n\
             $conf['superuser'] = '@admin'; $conf['updatecheck'] = 0;\n"
        ),
    );
    // The password is "secret".
    let hash = "5ebe2294ecd0e0f08eab7690d2a6ee69";
    site.file(
        "wiki/conf/users.auth.php",
        format!("# <?php exit()?>\neditor:{hash}:An Editor:editor@example.test:user\n"),
    );
    site.file(
        "wiki/conf/acl.auth.php",
        "# <?php exit()?>\n*\t@ALL\t1\n*\t@user\t8\n",
    );
    let conf = site.text("wiki/conf");
    let prepended = site.file(
        "wiki/prepend.php",
        format!("<?php define('DOKU_CONF', '{conf}/');\n"),
    );
    format!(
        "php_admin_value[auto_prepend_file] = {}",
        prepended.display()
    )
}

#[test]
fn a_wiki_is_read_written_and_searched() {
    const TEST: &str = "a_wiki_is_read_written_and_searched";
    let wiki = Path::new("/usr/share/dokuwiki");
    let Some(fpm) = php_fpm(TEST) else {
        return;
    };
    if !wiki.join("doku.php").exists() {
        return not_installed(TEST, "DokuWiki");
    }
    let site = Site::new();
    let settings = set_up(&site);
    let fpm = Fpm::start(&fpm, &site, 2, &settings);
    let (files, backend) = (
        format!("/wiki/={}", wiki.display()),
        format!(".php={}", fpm.backend()),
    );
    let arguments = [
        "-s",
        &files,
        "-f",
        &backend,
        "--index",
        "doku.php",
        "--follow-symlinks",
    ];
    let server = site.serve(&arguments);
    let mut visitor = Visitor {
        server: &server,
        cookies: BTreeMap::new(),
    };

    // Its first page, with what belongs to it: a file, and a style sheet that a program puts together.
    let start = visitor.get("/wiki/");
    assert_eq!(start.status, 200, "{}", server.log());
    let start = start.text();
    assert!(start.contains("<title>start [A Wiki]</title>"), "{start}");
    assert!(start.contains("This topic does not exist yet"), "{start}");
    let style = visitor.get("/wiki/lib/exe/css.php?t=dokuwiki");
    assert!(style.field("Content-Type").unwrap().starts_with("text/css"));
    assert!(style.text().len() > 10_000);
    let logo = visitor.get("/wiki/lib/tpl/dokuwiki/images/logo.png");
    assert_eq!(logo.field("Content-Type"), Some("image/png"));

    // Nobody but a user may write.
    let page = "/wiki/doku.php?id=gate";
    assert!(
        !visitor
            .get(&format!("{page}&do=edit"))
            .text()
            .contains("do[save]")
    );
    let login = visitor.get(&format!("{page}&do=login")).text();
    let token = hidden(&login, "sectok");
    let user = [
        ("sectok", token),
        ("do", "login"),
        ("u", "editor"),
        ("p", "secret"),
    ];
    let wrong = [
        ("sectok", token),
        ("do", "login"),
        ("u", "editor"),
        ("p", "guessed"),
    ];
    assert!(
        visitor
            .post(page, &wrong)
            .text()
            .contains("username or password was wrong")
    );
    let welcome = visitor.post(page, &user);
    assert_eq!(
        (welcome.status, welcome.field("Location")),
        (302, Some("http://tollgate.test/wiki/doku.php?id=gate"))
    );

    let form = visitor.get(&format!("{page}&do=edit")).text();
    assert!(form.contains("<bdi>An Editor</bdi>"), "{form}");
    let mut fields: Vec<(&str, &str)> = [
        "sectok",
        "rev",
        "date",
        "prefix",
        "suffix",
        "changecheck",
        "target",
    ]
    .into_iter()
    .map(|name| (name, hidden(&form, name)))
    .collect();
    fields.push((
        "wikitext",
        "===== A gate =====\nThe zebra pays <nothing>, \u{20ac}0.\n",
    ));
    fields.push(("summary", "first"));
    fields.push(("do[save]", "1"));
    let saved = visitor.post(page, &fields);
    assert_eq!(saved.status, 302, "{}", saved.text());

    let shown = visitor.get(page).text();
    assert!(
        shown.contains("The zebra pays &lt;nothing&gt;, \u{20ac}0."),
        "{shown}"
    );
    // The page asks for this picture, and by that has itself put into the index, which goes on when the
    // picture has come.
    let indexed = visitor.get("/wiki/lib/exe/taskrunner.php?id=gate");
    assert_eq!(indexed.field("Content-Type"), Some("image/gif"));
    let mut found = String::new();
    let is_found = eventually(PATIENCE, || {
        found = visitor.get("/wiki/doku.php?do=search&q=zebra").text();
        found.contains("<strong class=\"search_hit\">zebra</strong> pays")
    });
    assert!(is_found, "{found}");
    let nothing = visitor.get("/wiki/doku.php?do=search&q=giraffe").text();
    assert!(nothing.contains("Nothing was found."), "{nothing}");
}
