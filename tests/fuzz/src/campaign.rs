//! Spoils the corpus so many times and runs every target on it, without libFuzzer: `cargo run
//! --release -- 1000000 [TARGET]`. A panic prints the octets that led to it.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use voxtrunk_fuzz::bodies::{self, TARGETS, corpus, damage::Spoiler};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000_u64);
    let only = arguments.next();
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    for (target, _) in TARGETS.iter().filter(|(name, _)| only.as_deref().is_none_or(|it| it == *name)) {
        let began = Instant::now();
        let mut spoiler = Spoiler::new(corpus::seeds(target), seed);
        for _ in 0..count {
            let octets = spoiler.spoil();
            if catch_unwind(|| bodies::run(target, &octets)).is_err() {
                println!("{target}: b\"{}\"", octets.escape_ascii());
                return ExitCode::FAILURE;
            }
        }
        println!("{target}: {count} in {:.1?}", began.elapsed());
    }
    ExitCode::SUCCESS
}
