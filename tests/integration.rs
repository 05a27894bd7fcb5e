//! tollgate as its users meet it: the program, run, and talked to over sockets. One binary, so that it
//! is linked once; a folder of modules by area, the rule that is tested in the name of each test.
//!
//! Each test has a server and a folder of its own, so they run in any order and at the same time.

// Clippy's leave for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "integration/activation.rs"]
mod activation;
#[path = "integration/attack_fields.rs"]
mod attack_fields;
#[path = "integration/attack_framing.rs"]
mod attack_framing;
#[path = "integration/attack_paths.rs"]
mod attack_paths;
#[cfg(feature = "auth")]
#[path = "integration/auth.rs"]
mod auth;
#[path = "integration/cgi.rs"]
mod cgi;
#[path = "integration/cgi_life.rs"]
mod cgi_life;
#[path = "integration/cgi_response.rs"]
mod cgi_response;
#[cfg(feature = "explain")]
#[path = "integration/check.rs"]
mod check;
#[path = "integration/cli.rs"]
mod cli;
#[cfg(all(
    feature = "auth",
    feature = "config",
    feature = "console",
    feature = "explain",
    feature = "fastcgi",
    feature = "sandbox"
))]
#[path = "integration/commands.rs"]
mod commands;
#[cfg(feature = "config")]
#[path = "integration/config.rs"]
mod config;
#[cfg(feature = "config")]
#[path = "integration/config_examples.rs"]
mod config_examples;
#[cfg(feature = "config")]
#[path = "integration/config_reload.rs"]
mod config_reload;
#[cfg(feature = "config")]
#[path = "integration/config_sites.rs"]
mod config_sites;
#[path = "integration/confine.rs"]
mod confine;
#[path = "integration/confine_chroot.rs"]
mod confine_chroot;
#[cfg(feature = "fastcgi")]
#[path = "integration/confine_exec.rs"]
mod confine_exec;
#[path = "integration/confine_programs.rs"]
mod confine_programs;
#[cfg(feature = "sandbox")]
#[path = "integration/confine_sandbox.rs"]
mod confine_sandbox;
#[path = "integration/connection.rs"]
mod connection;
#[cfg(feature = "console")]
#[path = "integration/console.rs"]
mod console;
#[cfg(feature = "console")]
#[path = "integration/console_gate.rs"]
mod console_gate;
#[cfg(feature = "console")]
#[path = "integration/console_page.rs"]
mod console_page;
#[cfg(all(feature = "config", feature = "console"))]
#[path = "integration/console_sites.rs"]
mod console_sites;
#[cfg(feature = "console")]
#[path = "integration/container.rs"]
mod container;
#[cfg(feature = "explain")]
#[path = "integration/course.rs"]
mod course;
#[cfg(feature = "explain")]
#[path = "integration/explain.rs"]
mod explain;
#[cfg(feature = "explain")]
#[path = "integration/explain_mended.rs"]
mod explain_mended;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi.rs"]
mod fastcgi;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_authorizer.rs"]
mod fastcgi_authorizer;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_exec.rs"]
mod fastcgi_exec;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_faults.rs"]
mod fastcgi_faults;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_php.rs"]
mod fastcgi_php;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_pool.rs"]
mod fastcgi_pool;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_real.rs"]
mod fastcgi_real;
#[cfg(feature = "fastcgi")]
#[path = "integration/fastcgi_wiki.rs"]
mod fastcgi_wiki;
#[path = "integration/framing.rs"]
mod framing;
#[cfg(feature = "console")]
#[path = "integration/grow.rs"]
mod grow;
#[path = "integration/health.rs"]
mod health;
#[path = "integration/kernel.rs"]
mod kernel;
#[path = "integration/line.rs"]
mod line;
#[path = "integration/logs.rs"]
mod logs;
#[path = "integration/managers.rs"]
mod managers;
#[path = "integration/memory.rs"]
mod memory;
#[path = "integration/migrating.rs"]
mod migrating;
#[cfg(feature = "explain")]
#[path = "integration/new.rs"]
mod new;
#[path = "integration/pairs.rs"]
mod pairs;
#[path = "integration/proxy.rs"]
mod proxy;
#[path = "integration/real.rs"]
mod real;
#[path = "integration/resources.rs"]
mod resources;
#[path = "integration/restart.rs"]
mod restart;
#[path = "integration/send_file.rs"]
mod send_file;
#[path = "integration/site.rs"]
mod site;
#[path = "integration/static_file.rs"]
mod static_file;
