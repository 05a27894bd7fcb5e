//! Writes the manual pages and the completions of shells anew: `make documents`.

use std::fs;
use std::io;
use std::path::Path;

#[path = "mod.rs"]
mod documents;

fn main() -> io::Result<()> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in documents::all() {
        fs::write(tree.join(path), text)?;
    }
    Ok(())
}
