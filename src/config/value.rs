//! The forms that values are written in.
//!
//! Shape: a text in, its value out; or what is wrong with it, as the rest of a sentence that begins
//! with the text in quotes.
//! Rules: nothing is guessed. Numbers are digits alone (no sign, no space, no other base), and a
//! number too large to hold is out of range like any other.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::proto::Reason;
#[cfg(feature = "console")]
use crate::proto::http::host;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::RouteKey;
use crate::proto::uri::target::{Form, Target};

use super::settings::{AccessLog, ListenAddress};

/// A number of bytes. Displays as it is written: `64K`, with the largest suffix that is exact.
pub(super) struct Size(pub(super) u64);

const SUFFIXES: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SUFFIXES
            .iter()
            .find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit))
        {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Reads `1*DIGIT`.
fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

pub(super) fn count(text: &str, range: &RangeInclusive<usize>) -> Result<usize, String> {
    digits(text)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "is not a whole number from {} to {}",
                range.start(),
                range.end()
            )
        })
}

/// Reads bytes, or a number with a suffix K, M or G (powers of 1024, in either case).
pub(super) fn size(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let suffixed = SUFFIXES.iter().find_map(|(suffix, unit)| {
        let number = text.strip_suffix([*suffix, suffix.to_ascii_lowercase()])?;
        Some((number, *unit))
    });
    let (number, unit) = suffixed.unwrap_or((text, 1));
    digits(number)
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| range.contains(bytes))
        .ok_or_else(|| {
            let (least, most) = (Size(*range.start()), Size(*range.end()));
            format!("is not a size from {least} to {most}; write bytes, or a number with K, M or G")
        })
}

/// The longest time that can be asked for: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Reads seconds, with a fraction of up to nine digits.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole)
        .zip(nanoseconds(fraction))
        .map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
        .filter(|time| !time.is_zero() && *time <= LONGEST)
        .ok_or_else(|| {
            let most = LONGEST.as_secs();
            format!("is not a time; write seconds above 0 and up to {most}, such as 60 or 0.5")
        })
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    digits(&format!("{fraction:0<9}")).and_then(|number| u32::try_from(number).ok())
}

const ADDRESS_FORM: &str = "write it as HOST:PORT, [V6]:PORT or unix:PATH";

/// Reads `HOST:PORT`, `[V6]:PORT` or `unix:PATH`.
pub(super) fn listen_address(text: &str) -> Result<ListenAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(path).map(ListenAddress::Unix);
    }
    let (host, port) = host_and_port(text, 0..=u16::MAX, |port| {
        format!("0.0.0.0:{port} or [::]:{port} for all")
    })?;
    Ok(ListenAddress::Tcp {
        host: host.to_owned(),
        port,
    })
}

/// Reads an address of the console, which is this machine's own.
#[cfg(feature = "console")]
pub(super) fn console_address(text: &str) -> Result<ListenAddress, String> {
    let address = listen_address(text)?;
    match &address {
        ListenAddress::Tcp { host, .. } if !host::is_loopback(host) => Err(
            "can be reached from other machines, and the console shows all requests; give a port of 127.0.0.1, and \
             come by a tunnel: ssh -L 8081:127.0.0.1:8081 HOST"
                .to_owned(),
        ),
        _ => Ok(address),
    }
}

/// Reads `HOST:PORT` or `[V6]:PORT` into a host without brackets and a port; `advice` says what to
/// write where the host is left out.
pub(super) fn host_and_port(
    text: &str,
    ports: RangeInclusive<u16>,
    advice: fn(u16) -> String,
) -> Result<(&str, u16), String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ if digits(text).is_some() => return Err(format!("has no host; {ADDRESS_FORM}")),
        _ => return Err(format!("has no port; {ADDRESS_FORM}")),
    };
    let port = digits(port)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| ports.contains(port))
        .ok_or_else(|| {
            let (least, most) = (ports.start(), ports.end());
            format!("has no port from {least} to {most}; {ADDRESS_FORM}")
        })?;
    if host.is_empty() {
        return Err(format!("has no host; write {}", advice(port)));
    }
    Ok((host_of(host, port)?, port))
}

/// Reads the path of a unix domain socket.
pub(super) fn socket_path(path: &str) -> Result<PathBuf, String> {
    /// What `sockaddr_un` holds, less the final NUL.
    const LONGEST: usize = 107;
    match path.len() {
        0 => Err(format!("has no path; {ADDRESS_FORM}")),
        1..=LONGEST => Ok(PathBuf::from(path)),
        _ => Err(format!(
            "has a path of more than {LONGEST} bytes; give a shorter one"
        )),
    }
}

/// Returns the host without brackets; the port serves the advice.
fn host_of(text: &str, port: u16) -> Result<&str, String> {
    let is_v6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    match text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        Some(host) if is_v6(host) => Ok(host),
        None if is_v6(text) => Err(format!(
            "has an IPv6 address without brackets; write it as [{text}]:{port}"
        )),
        None if is_ipv4_or_name(text) => Ok(text),
        _ => Err(format!("has no valid host; {ADDRESS_FORM}")),
    }
}

/// Digits and dots alone are an address or nothing: as names they would only ever be a slip.
fn is_ipv4_or_name(host: &str) -> bool {
    if host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Reads `ROUTE=` and leaves what follows it, which is not empty; `form` is what the error tells to
/// write.
pub(super) fn route<'t>(text: &'t str, form: &str) -> Result<(RouteKey, &'t str), String> {
    let (key, target) = text
        .split_once('=')
        .ok_or_else(|| format!("has no '='; {form}"))?;
    let key = RouteKey::parse(key).ok_or(
        "has no valid ROUTE; begin it with '/' (a URL prefix, without '//', '..', '?', '#' or \
         '%') or with '.' (a file extension of letters, digits, '-' and '_')",
    )?;
    if target.is_empty() {
        return Err(format!("has nothing after the '='; {form}"));
    }
    Ok((key, target))
}

/// Reads a path on this server with an optional query, as a request would name it.
pub(super) fn fallback(text: &str) -> Result<String, String> {
    // GET takes no form of a target but these two, and the absolute one names a host.
    Target::parse("GET", text.as_bytes())
        .and_then(|target| match target.form {
            Form::Origin => UrlPath::decode(target.path),
            _ => Err(Reason::TargetForm),
        })
        .map(|_| text.to_owned())
        .map_err(|_| {
            "is not the path of a URL; begin it with '/', write '%' before two hexadecimal digits \
             only, and no space or '#', for example /index.php"
                .to_owned()
        })
}

/// Reads file names with commas between.
pub(super) fn index_names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    if names.iter().all(|name| is_index_name(name)) {
        return Ok(names);
    }
    let form = "write names without '/' and not beginning with '.', with commas between";
    Err(format!(
        "is not a list of file names; {form}, for example index.html,index.php"
    ))
}

fn is_index_name(name: &str) -> bool {
    let plain = !name.contains(|c: char| c == '/' || c.is_control());
    // In `index.html, index.php` the space belongs to the comma, not to a name.
    plain && name == name.trim() && !name.is_empty() && !name.starts_with('.')
}

/// Reads the path of a folder, which is looked for elsewhere.
pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("is empty; give the folder of www/ and cgi-bin/".to_owned()),
        _ => Ok(PathBuf::from(text)),
    }
}

/// Reads the path of a configuration file.
pub(super) fn config_file(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("is empty; give a file".to_owned()),
        // Otherwise `--config --listing` would be a file of that name.
        _ if text.starts_with('-') => Err(format!(
            "looks like an option; write ./{text} for a file of that name"
        )),
        _ => Ok(PathBuf::from(text)),
    }
}

/// Reads a path, or `-` for standard output.
pub(super) fn access_log(text: &str) -> Result<AccessLog, String> {
    match text {
        "-" => Ok(AccessLog::Stdout),
        "" => Err("is empty; give a file, or - for standard output".to_owned()),
        // Otherwise `--access-log --listing` would quietly make a file of that name.
        _ if text.starts_with('-') => Err(format!(
            "looks like an option; write ./{text} for a file of that name"
        )),
        _ => Ok(AccessLog::File(PathBuf::from(text))),
    }
}

#[cfg(test)]
mod tests;
