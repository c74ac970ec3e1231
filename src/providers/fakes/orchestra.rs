//! All stand-ins at once: a band, and one more for each other vendor, from the same score.

use std::io;

use super::band::{Band, KEY, Score, ear, table};
use super::stand::Stand;
use super::{
    anthropic, assemblyai, aura, azure_voice, cartesia, gemini, gladia, google, openai, realtime,
    responses,
};
use crate::audio::frame::Rate;

/// The stand-ins at work.
#[derive(Debug)]
pub struct Orchestra {
    band: Band,
    players: Vec<Player>,
}

/// One of them, and how the settings name it.
#[derive(Debug)]
struct Player {
    name: &'static str,
    kind: &'static str,
    /// Where its API begins below its address.
    path: &'static str,
    /// What else stands in its table.
    more: &'static str,
    stand: Stand,
}

impl Orchestra {
    /// Opens them on ports of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(score: &Score) -> io::Result<Self> {
        let lab = openai::Script {
            key: KEY,
            ear: ear(),
            throat: score.throat(Rate(24_000)),
            delay: score.hears,
            faults: Vec::new(),
        };
        let (ears, mind, mouth) = (|| score.ears(), || score.mind(), || score.mouth());
        let player = |name, kind, (path, more), stand| Player { name, kind, path, more, stand };
        let responses_api = "model = \"digits\"\napi = \"responses\"";
        let players = vec![
            player("assemblyai", "assemblyai", ("", ""), assemblyai::open(ears()).await?),
            player("gladia", "gladia", ("", ""), gladia::open(ears()).await?),
            player(
                "realtime",
                "openai",
                ("/v1", "api = \"realtime\""),
                realtime::open(ears()).await?,
            ),
            player("openai", "openai", ("/v1", "voice = \"digits\""), openai::open(lab).await?),
            player("responses", "openai", ("/v1", responses_api), responses::open(mind()).await?),
            player(
                "anthropic",
                "anthropic",
                ("", "model = \"digits\""),
                anthropic::open(mind()).await?,
            ),
            player("gemini", "gemini", ("", "model = \"digits\""), gemini::open(mind()).await?),
            player(
                "aura",
                "deepgram",
                ("", "voice = \"aura-2-digits-en\""),
                aura::open(mouth()).await?,
            ),
            player(
                "cartesia",
                "cartesia",
                ("", "voice = \"digits\""),
                cartesia::open(mouth()).await?,
            ),
            player(
                "azure",
                "azure",
                ("", "voice = \"en-US-DigitsNeural\""),
                azure_voice::open(mouth()).await?,
            ),
            player(
                "google",
                "google",
                ("", "voice = \"en-US-Chirp3-HD-Digits\""),
                google::open(mouth()).await?,
            ),
        ];
        Ok(Self { band: Band::open(score).await?, players })
    }

    /// The settings of a server whose agents may name them.
    pub fn settings(&self) -> String {
        let others = self.players.iter().map(|it| {
            let base_url = format!("{}{}", it.stand.base_url(), it.path);
            table(it.name, it.kind, (&base_url, it.more))
        });
        [self.band.settings()].into_iter().chain(others).collect()
    }

    /// What real vendors would not have accepted, with the name of each.
    pub fn complaints(&self) -> Vec<String> {
        let others = self.players.iter().flat_map(|it| {
            it.stand
                .complaints()
                .into_iter()
                .map(move |complaint| format!("{}: {complaint}", it.name))
        });
        self.band.complaints().into_iter().chain(others).collect()
    }
}
