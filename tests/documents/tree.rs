//! What the source has that documents can name: files, tests, constants and their values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A test, by the file that it is in and its name.
type Test = (PathBuf, String);

/// What documents can name.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Every Rust file of src and tests, by its path below the root.
    pub(crate) sources: BTreeMap<PathBuf, String>,
    tests: BTreeSet<Test>,
}

impl Tree {
    pub(crate) fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let sources: BTreeMap<_, _> = ["src", "tests"]
            .into_iter()
            .flat_map(|folder| files_below(&root.join(folder), "rs"))
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                (path.strip_prefix(&root).unwrap().to_owned(), text)
            })
            .collect();
        let tests = sources.iter().flat_map(|(path, text)| {
            let names = tests_of(text);
            names.map(move |name| (path.clone(), name.to_owned()))
        });
        let tests = tests.collect();
        Tree {
            root,
            sources,
            tests,
        }
    }

    pub(crate) fn document(&self, name: &str) -> String {
        fs::read_to_string(self.root.join(name)).unwrap()
    }

    /// Whether there is a test of the name that a document gives it, in a row about `files`.
    pub(crate) fn has_test(&self, name: &str, files: &[&str]) -> bool {
        if let Some(scenario) = name.strip_prefix("torture/") {
            let row = format!("(\"{scenario}\", ");
            let mut sources = self.sources.iter();
            return sources.any(|(path, text)| {
                path.starts_with("tests/torture") && text.contains(&row)
                    || scenario == "soak" && path.ends_with("tests/torture/soak.rs")
            });
        }
        let is_at = |path: PathBuf, test: &str| self.tests.contains(&(path, test.to_owned()));
        if let Some((area, test)) = name.split_once('/') {
            return is_at(format!("tests/integration/{area}.rs").into(), test)
                || is_at(format!("tests/{area}.rs").into(), test);
        }
        match name.split_once("::") {
            Some((stem, test)) => self.sources.keys().any(|path| {
                path.starts_with("src") && has_stem(path, stem) && self.has_unit_test(path, test)
            }),
            None => files
                .iter()
                .any(|file| self.has_unit_test(&Path::new("src").join(file), name)),
        }
    }

    /// Whether a file has a unit test of this name: in it, in its `tests.rs`, or in the folder of that.
    fn has_unit_test(&self, file: &Path, name: &str) -> bool {
        let tests = match file.ends_with("mod.rs") {
            true => file.with_file_name("tests"),
            false => file.with_extension("").join("tests"),
        };
        let is_for_it = |path: &PathBuf| {
            path == file || *path == tests.with_extension("rs") || path.parent() == Some(&tests)
        };
        let mut all = self.tests.iter();
        all.any(|(path, test)| test == name && is_for_it(path))
    }

    /// The expressions that constants of this name have in a file below src.
    pub(crate) fn constants(&self, file: &str, name: &str) -> Vec<&str> {
        let text = self.source(file).unwrap_or_default();
        let found = constants(text).filter(|constant| constant.name == name);
        found.map(|constant| constant.value).collect()
    }

    pub(crate) fn source(&self, file: &str) -> Option<&str> {
        self.sources
            .get(&Path::new("src").join(file))
            .map(|text| &**text)
    }
}

/// The files below a folder that end so, hidden ones, what is built and what is installed left out.
pub(crate) fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let is_left_out = name.as_encoded_bytes().starts_with(b".")
            || ["target", "corpus", "artifacts", "node_modules"]
                .iter()
                .any(|other| name == *other);
        match entry.file_type().unwrap() {
            _ if is_left_out => {}
            kind if kind.is_dir() => found.extend(files_below(&path, extension)),
            _ if path.extension().is_some_and(|it| it == extension) => found.push(path),
            _ => {}
        }
    }
    found
}

/// The names of the tests of a source file.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    let mut is_next = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        if line == "#[test]" {
            is_next = true;
        }
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_next).then_some(name)
    })
}

/// The name that tests call a file by: that of the folder for `mod.rs`.
fn has_stem(path: &Path, stem: &str) -> bool {
    match path.file_stem() {
        Some(name) if name == "mod" => path.parent().is_some_and(|folder| folder.ends_with(stem)),
        name => name.is_some_and(|name| name == stem),
    }
}

/// A constant that is a number or a time.
pub(crate) struct Constant<'t> {
    pub(crate) name: &'t str,
    pub(crate) value: &'t str,
}

/// The constants of a source file, without those of its tests.
pub(crate) fn constants(text: &str) -> impl Iterator<Item = Constant<'_>> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub") {
            Some(line) => &line[line.find("const ")?..],
            None => line,
        };
        let (name, line) = line.strip_prefix("const ")?.split_once(": ")?;
        let (kind, value) = line.split_once(" = ")?;
        let kinds = [
            "usize",
            "u64",
            "u32",
            "i32",
            "i64",
            "Duration",
            "[Duration; 2]",
        ];
        let value = value.split(';').next()?;
        kinds.contains(&kind).then_some(Constant { name, value })
    })
}
