//! The fuzz targets on stable: the committed corpus, and a bounded number of spoilt copies of it.

#[path = "../fuzz/src/bodies/mod.rs"]
mod bodies;

use bodies::damage::Spoiler;
use bodies::{TARGETS, corpus, run};

#[test]
fn every_seed_is_survived() {
    for (target, body) in TARGETS {
        corpus::seeds(target).iter().for_each(|octets| body(octets));
    }
}

#[test]
fn every_target_has_its_door_for_libfuzzer() {
    for (target, _) in TARGETS {
        let path = format!("{}/tests/fuzz/fuzz_targets/{target}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert!(text.contains(&format!("run(\"{target}\", octets)")), "{path}");
    }
}

#[test]
fn spoilt_seeds_are_survived() {
    for (target, _) in TARGETS {
        let mut spoiler = Spoiler::new(corpus::seeds(target), 1);
        for _ in 0..SPOILT {
            run(target, &spoiler.spoil());
        }
    }
}

/// For each target; a campaign of `tests/fuzz` takes millions.
const SPOILT: u32 = 500;
