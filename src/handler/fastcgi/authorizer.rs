//! What an authorizer is told, and what it tells later programs of the request.
//!
//! Source: the FastCGI specification, section 6.3.
//! Shape: parameters are filtered on the way in; `Variable-*` field lines are taken out of its header on
//! the way back. Rules: a variable's name is letters, digits and underscores, and it never begins with
//! `HTTP_`, which only a request's fields do. What the server computes is not replaced by it
//! (`proto::cgi::meta` sees to that). The lines never reach the client.

/// Parameters that an authorizer does not get.
const WITHHELD: [&[u8]; 4] = [
    b"CONTENT_LENGTH",
    b"PATH_INFO",
    b"PATH_TRANSLATED",
    b"SCRIPT_NAME",
];

/// Whether an authorizer gets the parameter of this name.
pub fn is_told(name: &[u8]) -> bool {
    !WITHHELD.contains(&name)
}

/// Takes the `Variable-NAME: VALUE` lines out of a block of field lines, each of which ends in CR LF.
pub fn take_variables(block: &mut Vec<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut variables = Vec::new();
    let mut kept = Vec::with_capacity(block.len());
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        match variable_of(line) {
            None => kept.extend_from_slice(line),
            Some((name, value)) if is_permitted(name) => {
                variables.push((name.to_vec(), value.to_vec()));
            }
            Some(_) => {}
        }
    }
    *block = kept;
    variables
}

fn variable_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const PREFIX: &[u8] = b"Variable-";
    let (prefix, rest) = line.split_at_checked(PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let colon = rest.iter().position(|&byte| byte == b':')?;
    Some((&rest[..colon], rest[colon + 1..].trim_ascii()))
}

fn is_permitted(name: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_word) && !name.starts_with(b"HTTP_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_taken_out_and_all_else_stays() {
        let mut block =
            b"Content-Type: text/plain\r\nvariable-USER_NAME: Ann B \r\nX-Variable-A: 1\r\n"
                .to_vec();
        let variables = take_variables(&mut block);
        assert_eq!(variables, [(b"USER_NAME".to_vec(), b"Ann B".to_vec())]);
        assert_eq!(block, b"Content-Type: text/plain\r\nX-Variable-A: 1\r\n");
    }

    #[test]
    fn names_that_could_be_taken_for_something_else_are_dropped() {
        let mut block =
            b"Variable-HTTP_PROXY: x\r\nVariable-: y\r\nVariable-A-B: z\r\nVariable-B: \r\n"
                .to_vec();
        let variables = take_variables(&mut block);
        assert_eq!(variables, [(b"B".to_vec(), Vec::new())]);
        assert!(block.is_empty());
    }
}
