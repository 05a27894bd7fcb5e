//! `tollgate new NAME`: writes a first program, which passes `tollgate check`.
//!
//! Shape: [`run`] writes a file, and returns the lines that say what to do with it. Rules:
//! - What is there stays: a file is made, never written over.
//! - A program goes where the server runs it, into `cgi-bin/` where that is; the source of one that is compiled
//!   stays beside that folder, as nobody runs it. Compiling is left to the author: what the compiler says is
//!   theirs to read.
//! - Each takes the query apart and makes text of what it finds there. They are read by beginners: 25 lines each.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::{Language, New, StartError};
use crate::proto::finding::quoted;

/// Where the server looks for programs.
const PROGRAMS: &str = "cgi-bin";

/// Makes the program; returns what to do with it, in lines.
///
/// # Errors
/// What kept it from being made: most often there is such a file.
pub fn run(new: &New) -> Result<String, StartError> {
    let has_folder = new.path.components().count() > 1;
    let program = match !has_folder && Path::new(PROGRAMS).is_dir() {
        true => Path::new(PROGRAMS).join(&new.path),
        false => new.path.clone(),
    };
    let (file, program, compiler) = match new.language {
        Language::C => compiled(new, &program, "cc -O2 -Wall"),
        Language::Rust => compiled(new, &program, "rustc -O"),
        _ => (program.clone(), program, None),
    };
    write(&file, new.language, compiler.is_some()).map_err(|error| {
        let problem = match error.kind() {
            ErrorKind::AlreadyExists => {
                "is there already; choose another name, or move it away".to_owned()
            }
            _ => format!("cannot be made ({error})"),
        };
        StartError::failed("tollgate new", file.display(), problem)
    })?;
    let word = |path: &Path| quoted(&path.display().to_string());
    let mut text = format!("{} is made. Read it, and then\n", file.display());
    if let Some(compiler) = compiler {
        text += &format!(
            "  compile it:  {compiler} -o {} {}\n",
            word(&program),
            word(&file)
        );
    }
    text += &format!(
        "  try it:      tollgate check {} --query name=Ada\n",
        word(&program)
    );
    let folder = program.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let serve = match folder == Path::new(PROGRAMS) {
        true => "tollgate".to_owned(),
        false => format!("tollgate --cgi /cgi-bin/={}", word(folder)),
    };
    let name = program.file_name().unwrap_or_default().display();
    text += &format!(
        "  serve it:    {serve}\n  ask for it:  http://127.0.0.1:8080/cgi-bin/{name}?name=Ada\n"
    );
    Ok(text)
}

/// The source of a program, the program, and who makes one of the other.
fn compiled(
    new: &New,
    program: &Path,
    compiler: &'static str,
) -> (PathBuf, PathBuf, Option<&'static str>) {
    let ending = new.language.ending();
    let source = match new.path.extension().is_some_and(|it| it == ending) {
        true => new.path.clone(),
        false => PathBuf::from(format!("{}.{ending}", new.path.display())),
    };
    let program = match program.extension().is_some_and(|it| it == ending) {
        true => program.with_extension(""),
        false => program.to_owned(),
    };
    (source, program, Some(compiler))
}

fn write(file: &Path, language: Language, is_source: bool) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if is_source { 0o666 } else { 0o777 })
        .open(file)?;
    file.write_all(template(language).as_bytes())
}

const fn template(language: Language) -> &'static str {
    match language {
        Language::Sh => include_str!("new/sh"),
        Language::Python => include_str!("new/python"),
        Language::Perl => include_str!("new/perl"),
        Language::C => include_str!("new/c"),
        Language::Rust => include_str!("new/rust"),
        Language::Php => include_str!("new/php"),
        Language::Lua => include_str!("new/lua"),
        Language::Ruby => include_str!("new/ruby"),
        Language::Node => include_str!("new/node"),
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
            let lines: Vec<&str> = template(language).lines().collect();
            assert!(lines.len() <= 25, "{language:?} has {}", lines.len());
            assert!(lines.iter().all(|line| line.len() <= 120), "{language:?}");
        }
    }
}
