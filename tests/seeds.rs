//! Replays every seed and every past crash of the fuzz targets, with the same oracles and a stable
//! compiler.

// The oracles judge the whole server, with all that it can be built with.
#![cfg(feature = "fastcgi")]
#![allow(clippy::expect_used, reason = "what a test cannot do without ends it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/oracles/mod.rs"]
mod oracles;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The paths in a folder, in order; none if it is missing.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    paths
}

/// The names in a folder, without extensions.
fn names(folder: &str) -> BTreeSet<String> {
    entries(&fuzz_folder().join(folder))
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

#[test]
fn seeds_and_past_crashes() {
    for (target, oracle) in oracles::TARGETS {
        let seeds = entries(&fuzz_folder().join("seeds").join(target));
        let crashes = entries(&fuzz_folder().join("crashes").join(target));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for path in seeds.iter().chain(&crashes) {
            // Shown when the oracle panics.
            println!("{}", path.display());
            oracle(&fs::read(path).expect("the seed can be read"));
        }
    }
}

#[test]
fn every_target_has_an_oracle_and_every_seed_a_target() {
    let targets: BTreeSet<String> = oracles::TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("seeds"), targets);
    assert!(names("crashes").is_subset(&targets));
}
