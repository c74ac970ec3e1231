//! The seeds: small files in `tests/fuzz/corpus/TARGET/`, each the octets of one input.

use std::path::{Path, PathBuf};

/// The seeds of a target in the order of their names.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder().join(target))
        .unwrap_or_else(|why| panic!("the corpus of {target}: {why}"))
        .flatten()
        .map(|file| file.path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a seed can be read")).collect()
}

/// This file is built by two packages: whichever it is, the corpus is below `tests/fuzz`.
fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = package.join("corpus");
    if inside.is_dir() { inside } else { package.join("tests/fuzz/corpus") }
}
