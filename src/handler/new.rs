//! `tollgate new NAME`: writes a first program, which passes `tollgate check`.
//!
//! Shape: [`run`] writes a file, and returns the lines that say what to do with it. Rules:
//! - What is there stays: a file is made, never written over.
//! - A program goes where the server runs it, into `cgi-bin/` where that is; the source of one that is compiled
//!   stays beside that folder, as nobody runs it. Compiling is left to the author: what the compiler says is
//!   theirs to read.
//! - Each takes the query apart and makes text of what it finds there. They are read by beginners: 25 lines each.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::{Language, New, StartError};
use crate::proto::finding::quoted;

/// Where the server looks for programs.
const PROGRAMS: &str = "cgi-bin";

/// Makes the program; returns what to do with it, in lines.
///
/// # Errors
/// What kept it from being made: most often there is such a file.
pub fn run(new: &New) -> Result<String, StartError> {
    let (text, compiler, ending) = first_program(new.language);
    // The source of what is compiled has its ending, and the program has none.
    let stem = match ending {
        "" => &new.name,
        _ => new.name.strip_suffix(ending).unwrap_or(&new.name),
    };
    let (folder, name) = match stem.rsplit_once('/') {
        Some((folder, name)) => (folder, name),
        None if Path::new(PROGRAMS).is_dir() => (PROGRAMS, stem),
        None => (".", stem),
    };
    let program = match folder {
        "." => stem.to_owned(),
        _ => [folder, "/", name].concat(),
    };
    let file = match ending {
        "" => program.clone(),
        _ => [stem, ending].concat(),
    };
    let mode = if ending.is_empty() { 0o777 } else { 0o666 };
    if let Err(error) = write(Path::new(&file), mode, text) {
        let problem = match error.kind() {
            ErrorKind::AlreadyExists => {
                "is there already; choose another name, or move it away".to_owned()
            }
            _ => format!("cannot be made ({error})"),
        };
        return Err(StartError::failed("tollgate new", file, problem));
    }
    let word = quoted(&program);
    let compile = match ending {
        "" => String::new(),
        _ => format!("  compile it:  {compiler} -o {word} {}\n", quoted(&file)),
    };
    let route = match folder {
        PROGRAMS => String::new(),
        _ => [" --cgi /cgi-bin/=", &quoted(folder)].concat(),
    };
    Ok(format!(
        "{file} is made. Read it, and then\n{compile}  try it:      tollgate check {word} --query name=Ada\n  \
         serve it:    tollgate{route}\n  ask for it:  http://127.0.0.1:8080/cgi-bin/{name}?name=Ada\n"
    ))
}

fn write(file: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(file)?.write_all(text.as_bytes())
}

/// A first program; where it is compiled, how, and what the name of its source ends in.
fn first_program(language: Language) -> (&'static str, &'static str, &'static str) {
    match language {
        Language::Sh => (include_str!("new/sh"), "", ""),
        Language::Python => (include_str!("new/python"), "", ""),
        Language::Perl => (include_str!("new/perl"), "", ""),
        Language::C => (include_str!("new/c"), "cc -O2 -Wall", ".c"),
        Language::Rust => (include_str!("new/rust"), "rustc -O", ".rs"),
        Language::Php => (include_str!("new/php"), "", ""),
        Language::Lua => (include_str!("new/lua"), "", ""),
        Language::Ruby => (include_str!("new/ruby"), "", ""),
        Language::Node => (include_str!("new/node"), "", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_program_is_short() {
        for language in [
            Language::Sh,
            Language::Python,
            Language::Perl,
            Language::C,
            Language::Rust,
            Language::Php,
            Language::Lua,
            Language::Ruby,
            Language::Node,
        ] {
            let lines: Vec<&str> = first_program(language).0.lines().collect();
            assert!(lines.len() <= 25, "{language:?} has {}", lines.len());
            assert!(lines.iter().all(|line| line.len() <= 120), "{language:?}");
        }
    }
}
