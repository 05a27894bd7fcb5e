//! The rows of the table of options.
//!
//! Rules: those of [`super`]; a row that needs more than a line to be set has a function for it elsewhere.

use super::super::settings::{Explain, Listing, Symlinks, Verbosity};
#[cfg(feature = "config")]
use super::super::sites::UnknownHost;
use super::super::{Command, confinement, environment, help, log_format, value};
use super::{Fallback, Flag, Group, Scope, Takes};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// Every option, in the order of `--help`.
pub static FLAGS: &[Flag] = &[
    Flag {
        short: Some('l'),
        long: "listen",
        group: Group::Serving,
        takes: Takes::Texts("ADDR", |settings, text, _| settings.add_listen(text)),
        default: Fallback::Value("127.0.0.1:8080"),
        help: "Listen at HOST:PORT, [V6]:PORT or unix:PATH; port 0 takes a free one and prints it",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "root",
        group: Group::Serving,
        takes: Takes::Text("DIR", |settings, text, _| {
            value::folder(text).map(|root| settings.root = root)
        }),
        default: Fallback::Value("."),
        help: "The folder that holds www/ and cgi-bin/: another way to write ROOT",
        scope: Scope::Site,
    },
    Flag {
        short: Some('s'),
        long: "static",
        group: Group::Serving,
        takes: Takes::Texts("ROUTE=DIR", |settings, text, _| settings.add_static(text)),
        default: Fallback::Words("/=ROOT/www where it exists"),
        help: "Send the files in DIR for URLs that begin with ROUTE",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "index",
        group: Group::Serving,
        takes: Takes::Text("NAMES", |settings, text, _| {
            value::index_names(text).map(|names| settings.index = names)
        }),
        default: Fallback::Value("index.html"),
        help: "File names, with commas between, to look for where a URL is a folder",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "listing",
        group: Group::Serving,
        takes: Takes::Switch(|settings| settings.listing = Listing::On),
        default: Fallback::None,
        help: "List folders that have no index file",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "follow-symlinks",
        group: Group::Serving,
        takes: Takes::Switch(|settings| settings.symlinks = Symlinks::Follow),
        default: Fallback::None,
        help: "Follow symbolic links also where they lead out of DIR",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "fallback",
        group: Group::Serving,
        takes: Takes::Text("URL", |settings, text, _| {
            value::fallback(text).map(|url| settings.fallback = Some(url))
        }),
        default: Fallback::None,
        help: "What is answered where no file or route matches, such as /index.php for programs \
               that have URLs of their own",
        scope: Scope::Site,
    },
    #[cfg(feature = "config")]
    Flag {
        short: None,
        long: "unknown-host",
        group: Group::Serving,
        takes: Takes::Text("WHO", |settings, text, _| {
            UnknownHost::parse(text).map(|unknown| settings.unknown_host = unknown)
        }),
        default: Fallback::Value("first"),
        help: "With several sites in a configuration file, what a Host of none of them gets: the 'first', \
               or 'refuse' for 421",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "trusted-proxy",
        group: Group::Serving,
        takes: Takes::Texts("CIDR", |settings, text, _| settings.add_trusted_proxy(text)),
        default: Fallback::None,
        help: "Believe peers in CIDR (10.0.0.0/8, ::1), or at a unix socket ('unix'), for whom they \
               pass a request on: Forwarded, X-Forwarded-For and -Proto",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "proxy-protocol",
        group: Group::Serving,
        takes: Takes::Switch(|settings| settings.proxies.protocol = true),
        default: Fallback::None,
        help: "Trusted proxies begin each connection with a PROXY header, version 1 or 2",
        scope: Scope::Server,
    },
    #[cfg(feature = "auth")]
    Flag {
        short: None,
        long: "auth",
        group: Group::Serving,
        takes: Takes::Texts("ROUTE=FILE", |settings, text, _| settings.add_auth(text)),
        default: Fallback::None,
        help: "Ask for a user and a password for URLs that begin with ROUTE; FILE has USER:HASH on \
               each line, made with: tollgate passwd FILE USER",
        scope: Scope::Site,
    },
    Flag {
        short: Some('c'),
        long: "cgi",
        group: Group::Programs,
        takes: Takes::Texts("ROUTE=PATH", |settings, text, _| settings.add_cgi(text)),
        default: Fallback::Words("/cgi-bin/=ROOT/cgi-bin where it exists"),
        help: "Run programs. ROUTE is a URL prefix (/cgi-bin/) and PATH a folder of programs or one \
               program, or ROUTE is a file extension (.php) and PATH the interpreter for such files",
        scope: Scope::Site,
    },
    Flag {
        short: Some('e'),
        long: "env",
        group: Group::Programs,
        takes: Takes::Texts("NAME[=VALUE]", environment::add),
        default: Fallback::None,
        help: "Set a variable for programs, or pass the server's own; HTTP_AUTHORIZATION passes \
               that field of requests, HTTPS=on says that they came to a proxy with TLS",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "max-processes",
        group: Group::Programs,
        takes: Takes::Count(1..=4096, |settings, count| settings.max_processes = count),
        default: Fallback::Computed("4 per core", |surroundings| {
            Some((4 * surroundings.cores).clamp(4, 4096).to_string())
        }),
        help: "Programs that run at once; further requests wait in line",
        scope: Scope::Start,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: Some('f'),
        long: "fastcgi",
        group: Group::Fastcgi,
        takes: Takes::Texts("ROUTE=BACKEND", |settings, text, _| {
            settings.add_fastcgi(text)
        }),
        default: Fallback::None,
        help: "Ask an application that stays running. ROUTE is as for --cgi. BACKEND is HOST:PORT, \
               [V6]:PORT or unix:PATH, several with commas between; or 'exec:PROGRAM ARGS' to start \
               it here, with options after a '|': processes=N or MIN-MAX (1 to 64), idle=SECS, \
               requests=N, socket=unix|tcp. 'authorizer:BACKEND' guards ROUTE instead of answering \
               it",
        scope: Scope::Site,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: None,
        long: "fastcgi-connect-timeout",
        group: Group::Fastcgi,
        takes: Takes::Seconds(|settings, time| settings.fastcgi.connect_timeout = time),
        default: Fallback::Value("5"),
        help: "Longest wait for a connection to an application",
        scope: Scope::Site,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: None,
        long: "fastcgi-timeout",
        group: Group::Fastcgi,
        takes: Takes::Seconds(|settings, time| settings.fastcgi.timeout = time),
        default: Fallback::Like("cgi-timeout"),
        help: "Longest silence of an application",
        scope: Scope::Site,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: None,
        long: "max-backend",
        group: Group::Fastcgi,
        takes: Takes::Count(1..=4096, |settings, count| {
            settings.fastcgi.max_backend = count
        }),
        default: Fallback::Like("max-processes"),
        help: "Requests at once per backend; further ones wait in line",
        scope: Scope::Server,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: None,
        long: "fastcgi-keep",
        group: Group::Fastcgi,
        takes: Takes::Count(0..=4096, |settings, count| settings.fastcgi.keep = count),
        default: Fallback::Like("max-backend"),
        help: "Idle connections kept for each backend; 0 keeps none",
        scope: Scope::Server,
    },
    #[cfg(feature = "fastcgi")]
    Flag {
        short: None,
        long: "fastcgi-idle",
        group: Group::Fastcgi,
        takes: Takes::Seconds(|settings, time| settings.fastcgi.idle = time),
        default: Fallback::Value("2"),
        help: "How long an idle connection is kept",
        scope: Scope::Server,
    },
    Flag {
        short: Some('t'),
        long: "threads",
        group: Group::Limits,
        takes: Takes::Count(1..=1024, |settings, count| settings.threads = count),
        default: Fallback::Computed("1 per core, and 1", |surroundings| {
            Some((surroundings.cores + 1).min(1024).to_string())
        }),
        help: "Threads for everything but programs, which have their own",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "max-connections",
        group: Group::Limits,
        takes: Takes::Count(1..=1_000_000, |settings, count| {
            settings.max_connections = count
        }),
        default: Fallback::Value("10000"),
        help: "Connections held open at once",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "max-header",
        group: Group::Limits,
        takes: Takes::Size(KIB..=MIB, |settings, bytes| {
            settings.max_header = bytes as usize
        }),
        default: Fallback::Value("16K"),
        help: "Longest request line with its header fields",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "max-body",
        group: Group::Limits,
        takes: Takes::Size(0..=TIB, |settings, bytes| settings.max_body = bytes),
        default: Fallback::Value("64M"),
        help: "Longest request body",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "max-spool",
        group: Group::Limits,
        takes: Takes::Size(MIB..=TIB, |settings, bytes| settings.max_spool = bytes),
        default: Fallback::Value("1G"),
        help: "Disk that request bodies and output not yet sent may take together",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "header-timeout",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.header_timeout = time),
        default: Fallback::Value("10"),
        help: "Longest wait for a request line with its header fields",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "idle-timeout",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.idle_timeout = time),
        default: Fallback::Value("15"),
        help: "Longest wait for a connection's next request",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "send-timeout",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.send_timeout = time),
        default: Fallback::Value("30"),
        help: "Longest wait for a client to take more of a response",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "cgi-timeout",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.cgi_timeout = time),
        default: Fallback::Value("60"),
        help: "Longest silence of a program before it is ended",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "drain-timeout",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.drain_timeout = time),
        default: Fallback::Value("10"),
        help: "Longest wait for what still runs when the server is told to stop",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "stop-delay",
        group: Group::Timeouts,
        takes: Takes::Seconds(|settings, time| settings.stop_delay = time),
        default: Fallback::None,
        help: "How long to serve on when told to stop, while /healthz says 503 and balancers notice",
        scope: Scope::Server,
    },
    Flag {
        short: None,
        long: "user",
        group: Group::Confinement,
        takes: Takes::Text("NAME[:GROUP]", |settings, text, _| {
            confinement::user(text).map(|user| settings.confinement.user = Some(user))
        }),
        default: Fallback::None,
        help: "Go on as this user once the sockets are bound, for a server that was started by root; \
               names or numbers",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "allow-root",
        group: Group::Confinement,
        takes: Takes::Switch(|settings| settings.confinement.allow_root = true),
        default: Fallback::None,
        help: "Run programs also as root, which is refused otherwise",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "chroot",
        group: Group::Confinement,
        takes: Takes::Text("DIR", |settings, text, _| {
            confinement::folder(text).map(|folder| settings.confinement.chroot = Some(folder))
        }),
        default: Fallback::None,
        help: "Make DIR the root of all paths but those of sockets and the log; wants --user too",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "limit",
        group: Group::Confinement,
        takes: Takes::Texts("LIMITS", |settings, text, _| {
            settings.confinement.limits.add(text)
        }),
        default: Fallback::None,
        help: "Limits of each program, with commas between: cpu=SECS, memory=SIZE, files=N \
               (descriptors), file-size=SIZE; and processes=N of all together",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "nice",
        group: Group::Confinement,
        takes: Takes::Count(0..=19, |settings, level| settings.confinement.nice = level),
        default: Fallback::Value("0"),
        help: "How far programs stand back behind others for the processor, up to 19",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "allow-setuid",
        group: Group::Confinement,
        takes: Takes::Switch(|settings| settings.confinement.allow_setuid = true),
        default: Fallback::None,
        help: "Let programs gain rights from set-user-ID and set-group-ID files, as sendmail may need",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "sandbox",
        group: Group::Confinement,
        takes: Takes::Switch(|settings| settings.confinement.sandbox = true),
        default: Fallback::None,
        help: "Have the kernel (Landlock) keep the server and programs from all files but those they \
               need",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "allow-read",
        group: Group::Confinement,
        takes: Takes::Texts("PATH", |settings, text, _| {
            confinement::allow(&mut settings.confinement.allow_read, text)
        }),
        default: Fallback::None,
        help: "In the sandbox, let programs read and execute what is at or below PATH",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "allow-write",
        group: Group::Confinement,
        takes: Takes::Texts("PATH", |settings, text, _| {
            confinement::allow(&mut settings.confinement.allow_write, text)
        }),
        default: Fallback::None,
        help: "In the sandbox, let programs read and write what is at or below PATH",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "access-log",
        group: Group::Log,
        takes: Takes::Text("PATH|-", |settings, text, _| {
            value::access_log(text).map(|log| settings.access_log = log)
        }),
        default: Fallback::Computed("- on a terminal, otherwise none", |surroundings| {
            surroundings.stdout_is_terminal.then(|| "-".to_owned())
        }),
        help: "Write one line for each request to the file PATH, or to standard output with -",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "log-format",
        group: Group::Log,
        takes: Takes::Text("FORMAT", |settings, text, _| {
            log_format::parse(text).map(|format| settings.log_format = format)
        }),
        default: Fallback::Value("combined"),
        help: "How: combined, json, or a line with Apache's directives, as '%h %r %>s %{ms}T'",
        scope: Scope::Site,
    },
    Flag {
        short: Some('q'),
        long: "quiet",
        group: Group::Log,
        takes: Takes::Switch(|settings| settings.verbosity = Some(Verbosity::Quiet)),
        default: Fallback::None,
        help: "Log warnings and errors alone on standard error",
        scope: Scope::Start,
    },
    Flag {
        short: Some('v'),
        long: "verbose",
        group: Group::Log,
        takes: Takes::Switch(|settings| settings.verbosity = Some(Verbosity::Verbose)),
        default: Fallback::None,
        help: "Log more there; RUST_LOG in the environment says it by module",
        scope: Scope::Start,
    },
    Flag {
        short: None,
        long: "explain",
        group: Group::Log,
        takes: Takes::Switch(|settings| settings.explain = Explain::Everybody),
        default: Fallback::Words("for this machine, if no other can connect"),
        help: "Show clients why a program, a file or a backend failed, with all that shows it",
        scope: Scope::Site,
    },
    Flag {
        short: None,
        long: "no-explain",
        group: Group::Log,
        takes: Takes::Switch(|settings| settings.explain = Explain::Nobody),
        default: Fallback::None,
        help: "Show that to nobody: it is in the log alone, under the id that the page shows",
        scope: Scope::Site,
    },
    #[cfg(feature = "console")]
    Flag {
        short: None,
        long: "console",
        group: Group::Log,
        takes: Takes::Text("ADDR", |settings, text, _| {
            value::console_address(text).map(|address| settings.console = Some(address))
        }),
        default: Fallback::None,
        help: "Show at ADDR, for this machine alone, a page with the last requests, what became of them and why; \
               its address with a key to secrets is printed at the start",
        scope: Scope::Start,
    },
    #[cfg(feature = "console")]
    Flag {
        short: None,
        long: "health",
        group: Group::Log,
        takes: Takes::Text("ADDR", |settings, text, _| {
            value::listen_address(text).map(|address| settings.health = Some(address))
        }),
        default: Fallback::None,
        help: "Answer /healthz and /metrics at ADDR, to whoever reaches it: for balancers and Prometheus",
        scope: Scope::Start,
    },
    #[cfg(feature = "config")]
    Flag {
        short: None,
        long: "config",
        group: Group::Other,
        takes: Takes::Text("FILE", |settings, text, _| {
            value::config_file(text).map(|file| settings.config = Some(file))
        }),
        default: Fallback::None,
        help: "Take options from FILE too: a line for each, its long name and its value. Those of the \
               command line count in place of the file's",
        scope: Scope::CommandLine,
    },
    #[cfg(feature = "config")]
    Flag {
        short: None,
        long: "dump-config",
        group: Group::Other,
        // It is looked for where the values of all others are known.
        takes: Takes::Switch(|_| {}),
        default: Fallback::None,
        help: "Print what is in force and where each value comes from, as a configuration file, and \
               exit",
        scope: Scope::CommandLine,
    },
    Flag {
        short: Some('h'),
        long: "help",
        group: Group::Other,
        takes: Takes::Answer(|| Command::Help(help::text())),
        default: Fallback::None,
        help: "Print this and exit",
        scope: Scope::CommandLine,
    },
    Flag {
        short: Some('V'),
        long: "version",
        group: Group::Other,
        takes: Takes::Answer(|| Command::Version(help::version())),
        default: Fallback::None,
        help: "Print the version and exit",
        scope: Scope::CommandLine,
    },
];
