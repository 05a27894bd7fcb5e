//! Finds users and groups in the files that tell of them.
//!
//! Source: passwd(5), group(5), initgroups(3).
//! Shape: the bytes of `/etc/passwd` or `/etc/group` and what is looked for in, numbers out.
//! Rules: these two files are all that is looked at. What else a C library asks (LDAP, NIS) it asks by
//! code that it loads, which a static binary cannot: such users are named by their numbers. The first
//! line that fits counts; a line that is not of the form is passed over.

/// A line of `/etc/passwd`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'f> {
    /// What the user is called.
    pub name: &'f [u8],
    /// The user's number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
}

/// Returns the user that `wanted`, a name or a number, is.
///
/// ```
/// use tollgate::proto::account::find_user;
///
/// let passwd = b"root:x:0:0::/root:/bin/sh\nwww:x:33:34::/var/www:\n";
/// let www = find_user(passwd, "www").map(|www| (www.uid, www.gid));
/// assert_eq!(www, Some((33, 34)));
/// assert_eq!(find_user(passwd, "33").map(|www| www.name), Some(&b"www"[..]));
/// assert_eq!(find_user(passwd, "ann"), None);
/// ```
pub fn find_user<'f>(passwd: &'f [u8], wanted: &str) -> Option<Account<'f>> {
    let number = number(wanted.as_bytes());
    lines(passwd).filter_map(account).find(|account| {
        number.map_or(account.name == wanted.as_bytes(), |number| {
            account.uid == number
        })
    })
}

/// Returns the number of the group that `wanted`, a name or a number, is; a number need not be in the
/// file.
pub fn find_group(group: &[u8], wanted: &str) -> Option<u32> {
    number(wanted.as_bytes()).or_else(|| {
        let mut entries = lines(group).filter_map(entry);
        entries
            .find(|(name, ..)| *name == wanted.as_bytes())
            .map(|(_, gid, _)| gid)
    })
}

/// Returns the numbers of all groups that have this user for a member, each once.
pub fn groups_of(group: &[u8], user: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    for (_, gid, members) in lines(group).filter_map(entry) {
        let is_member = members.split(|byte| *byte == b',').any(|it| it == user);
        if is_member && !found.contains(&gid) {
            found.push(gid);
        }
    }
    found
}

/// Reads digits alone. The highest number there is means "no change" to the kernel, and is none.
pub fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|byte| *byte == b'\n')
}

/// `name:password:uid:gid:...`
fn account(line: &[u8]) -> Option<Account<'_>> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let mut numbers = fields.skip(1).map(number);
    Some(Account {
        name,
        uid: numbers.next()??,
        gid: numbers.next()??,
    })
}

/// `name:password:gid:member,member`
fn entry(line: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let mut rest = fields.skip(1);
    Some((name, number(rest.next()?)?, rest.next()?))
}

#[cfg(test)]
mod tests;
