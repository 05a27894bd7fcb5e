//! Holds docs/conformance.md to the tree: every file that it names is there, and so is every test.

use std::path::Path;
use std::{fs, io};

/// All Rust source below a folder, as one text.
fn source_below(folder: &Path) -> io::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            text += &source_below(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path)?;
        }
    }
    Ok(text)
}

#[test]
fn every_file_and_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let source = ["src", "tests"]
        .map(|folder| source_below(&root.join(folder)).unwrap())
        .concat();
    let (mut files, mut tests) = (0, 0);
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [.., file_names, test_names] = cells.as_slice() else {
            continue;
        };
        let mut folder = Path::new("");
        for name in file_names.split(", ").map(str::trim) {
            if !name.ends_with(".rs") {
                continue;
            }
            // A second file of one folder is named without it.
            let path = if name.contains('/') {
                name.into()
            } else {
                folder.join(name)
            };
            assert!(root.join("src").join(&path).is_file(), "{name} in: {line}");
            folder = Path::new(name)
                .parent()
                .filter(|_| name.contains('/'))
                .unwrap_or(folder);
            files += 1;
        }
        for name in test_names.split('`').skip(1).step_by(2) {
            let function = name.rsplit(['/', ':']).next().unwrap();
            assert!(
                source.contains(&format!("fn {function}(")),
                "{name} in: {line}"
            );
            tests += 1;
        }
    }
    assert!(files > 50 && tests > 100, "{files} files, {tests} tests");
}
