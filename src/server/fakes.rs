//! `voxtrunk fakes`: stand-ins for vendors, to try a server without keys and without costs.

use std::process::ExitCode;
use std::time::Duration;

use crate::audio::frame::Rate;
use crate::audio::resample;
use crate::providers::fakes::band::Score;
use crate::providers::fakes::orchestra::Orchestra;
use crate::providers::fakes::stand::nobody;
use crate::providers::tts::flite::{self, Flite};
use crate::server::{demo, serve};

/// How long the stand-ins take.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// From the caller's pause to the text.
    pub hears: Duration,
    /// From the request to the first word.
    pub thinks: Duration,
    /// For each further word.
    pub per_word: Duration,
    /// From a clause to its first sound.
    pub speaks: Duration,
}

/// Opens the stand-ins, prints the settings that name them, and serves until Ctrl-C.
pub fn run(delays: Delays) -> ExitCode {
    serve::finish(serve::block_on(async {
        let voice = Flite::load(flite::Settings::default()).map_err(|why| why.to_string())?;
        let speech = demo::spoken(&voice, "there you are").await?;
        let score = Score {
            hears: delays.hears,
            thinks: delays.thinks,
            per_word: delays.per_word,
            speaks: delays.speaks,
            speech: resample::convert(&speech, Rate::WIDE).samples,
            observer: nobody(),
        };
        let all = Orchestra::open(&score).await.map_err(|why| why.to_string())?;
        println!(
            "# Stand-ins at work until Ctrl-C: for the settings of a server. A caller presses\n\
             # digits on a telephone that sends tones; the answer is each of them and one.\n{}\
             # ready",
            all.settings()
        );
        serve::stopped().await;
        for complaint in all.complaints() {
            println!("complaint: {complaint}");
        }
        Ok(())
    }))
}
