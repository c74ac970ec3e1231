//! Transcribers of vendors that take streams against stand-ins that speak their protocols, and
//! misbehave.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::mpsc;
use voxtrunk::agent::event::{PauseId, Transcript, Verdict};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::providers::error::Retry;
use voxtrunk::providers::fakes::ear::{Fault, Script, scripted};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::fakes::{assemblyai, gladia, realtime};
use voxtrunk::providers::stt::assemblyai::{self as assembly, AssemblyAi};
use voxtrunk::providers::stt::gladia::{self as live, Gladia};
use voxtrunk::providers::stt::openai;
use voxtrunk::providers::stt::realtime::RealtimeTranscriber;
use voxtrunk::providers::transcriber::{Context, Heard, Listening, Transcriber};

use crate::wire::server::{PATIENCE, within};

const KEY: &str = "sesame-4711";

/// A transcriber that can be printed: its key must not be in it.
trait Told: Transcriber + Debug {}

impl<T: Transcriber + Debug> Told for T {}

/// A vendor: its stand-in, and the transcriber that asks it.
struct Vendor {
    name: &'static str,
    open: fn(Script) -> BoxFuture<'static, io::Result<Stand>>,
    transcriber: fn(&Stand, &str) -> Box<dyn Told>,
    /// What it is told at the end.
    goodbye: &'static str,
    /// How it tells that a socket is open, and what it is to expect.
    greeting: &'static str,
}

const VENDORS: [Vendor; 3] = [
    Vendor {
        name: "assemblyai",
        open: |script| assemblyai::open(script).boxed(),
        transcriber: |stand, key| {
            let settings = assembly::Settings {
                name: "ears".to_owned(),
                base_url: stand.base_url(),
                api_key: key.into(),
                model: None,
            };
            Box::new(AssemblyAi::new(settings, context()))
        },
        goodbye: "Terminate",
        greeting: "opens /v3/ws [\"Müller & Söhne\"]",
    },
    Vendor {
        name: "gladia",
        open: |script| gladia::open(script).boxed(),
        transcriber: |stand, key| {
            let settings = live::Settings {
                name: "ears".to_owned(),
                base_url: stand.base_url(),
                region: Some("eu-west".to_owned()),
                api_key: key.into(),
                model: "solaria-1".to_owned(),
                timeout: Duration::from_secs(20),
            };
            Box::new(Gladia::new(settings).expect("a client"))
        },
        goodbye: "stop_recording",
        greeting: "expects [\"Müller & Söhne\"]",
    },
    Vendor {
        name: "openai",
        open: |script| realtime::open(script).boxed(),
        transcriber: |stand, key| {
            let settings = openai::Settings {
                name: "ears".to_owned(),
                base_url: format!("{}/v1", stand.base_url()),
                api_key: Some(key.into()),
                headers: Default::default(),
                model: "gpt-4o-mini-transcribe".to_owned(),
                timeout: Duration::from_secs(20),
            };
            Box::new(RealtimeTranscriber::new(settings).expect("a client"))
        },
        goodbye: "closes",
        greeting: "expects Müller & Söhne",
    },
];

fn context() -> Context {
    Context {
        language: "de".parse().expect("a language"),
        grammar: None,
        key_terms: vec!["Müller & Söhne".to_owned()],
    }
}

impl Vendor {
    async fn stand(&self, sentences: &[&str], faults: Vec<Fault>) -> Stand {
        let (ear, delay, observer) = (scripted(sentences), Duration::ZERO, nobody());
        (self.open)(Script { key: KEY, ear, delay, faults, observer }).await.expect("a port")
    }

    /// A call that is heard by a stand-in.
    async fn call(&self, sentences: &[&str], faults: Vec<Fault>) -> Call {
        let stand = self.stand(sentences, faults).await;
        let transcriber = (self.transcriber)(&stand, KEY);
        let (sender, heard) = mpsc::channel(64);
        let listening = transcriber.open(context(), sender).await.expect("it opens");
        Call { stand, _transcriber: transcriber, listening: Some(listening), heard }
    }
}

struct Call {
    stand: Stand,
    _transcriber: Box<dyn Told>,
    listening: Option<Box<dyn Listening>>,
    heard: mpsc::Receiver<Heard>,
}

impl Call {
    fn listening(&mut self) -> &mut dyn Listening {
        &mut **self.listening.as_mut().expect("it is not dropped")
    }

    /// The caller makes a sound for so long, and is silent for half a second.
    fn say(&mut self, millis: usize) {
        self.sound(millis, 8_000);
        self.sound(500, 0);
    }

    fn sound(&mut self, millis: usize, loudness: i16) {
        for _ in 0..millis / 20 {
            let samples = (0..320).map(|at| if at % 40 < 20 { loudness } else { -loudness });
            self.listening().hear(&Frame::new(Rate::WIDE, samples.collect()));
        }
    }

    async fn next(&mut self) -> Heard {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        next.expect("a text in time").expect("the call is heard")
    }

    /// What a pause is answered with, and the words before that: whether there were any.
    async fn answer(&mut self, pause: u64) -> (Transcript, bool) {
        self.listening().finalize(PauseId(pause));
        let mut partial = false;
        loop {
            let heard = self.next().await;
            match heard.transcript {
                Transcript::Partial { text } => partial |= !text.is_empty(),
                other if heard.pause == PauseId(pause) => return (other, partial),
                _ => {}
            }
        }
    }

    async fn text(&mut self, pause: u64) -> String {
        match self.answer(pause).await.0 {
            Transcript::Final { text, .. } | Transcript::Judged { text, .. } => text,
            other => panic!("no text: {other:?}"),
        }
    }
}

#[tokio::test]
async fn words_are_heard_as_they_are_said_and_for_certain_at_the_pause() {
    for vendor in &VENDORS {
        let sentences = ["ich hätte gern einen Termin", "am Montag", "ja"];
        let mut call = vendor.call(&sentences, Vec::new()).await;
        call.listening().begin();
        call.sound(2_000, 8_000);
        // One of them says nothing before it was asked.
        if vendor.name != "openai" {
            let first = call.next().await;
            let Transcript::Partial { text } = &first.transcript else { panic!("{first:?}") };
            assert!(sentences[0].starts_with(text.as_str()) && !text.is_empty(), "{text}");
        }
        call.sound(500, 0);
        let (answer, partial) = call.answer(1).await;
        assert!(partial || vendor.name != "openai");
        let text = sentences[0].to_owned();
        match vendor.name {
            "assemblyai" => {
                assert_eq!(answer, Transcript::Judged { text, verdict: Verdict::Over });
            }
            _ => {
                let confidence = (vendor.name == "gladia").then_some(0.9);
                assert_eq!(answer, Transcript::Final { text, confidence, complete: false });
            }
        }
        // The caller goes on: the next pause covers both.
        call.say(800);
        assert_eq!(call.text(2).await, "ich hätte gern einen Termin am Montag", "{}", vendor.name);
        call.listening().forget();
        call.listening().begin();
        call.say(400);
        assert_eq!(call.text(3).await, "ja", "{}", vendor.name);
        call.listening = None;
        let over = || call.stand.heard().contains(&vendor.goodbye.to_owned()).then_some(());
        within(PATIENCE, "the end of the stream", over).await;
        assert!(call.stand.heard().contains(&vendor.greeting.to_owned()), "{:?}", call.stand);
        assert_eq!(call.stand.complaints(), Vec::<String>::new(), "{}", vendor.name);
    }
}

#[tokio::test]
async fn another_connection_hears_the_turn_from_its_beginning() {
    for vendor in &VENDORS {
        for fault in [Fault::CutsAfter(16_000), Fault::Garbage, Fault::HalfALetter] {
            let mut call = vendor.call(&["guten Tag zusammen"], vec![fault]).await;
            call.listening().begin();
            call.sound(1_600, 8_000);
            let again = || (call.stand.connections() >= 2).then_some(());
            within(PATIENCE, "another connection", again).await;
            call.say(200);
            let text = call.text(1).await;
            assert_eq!(text, "guten Tag zusammen", "{} {fault:?}", vendor.name);
            assert_eq!(call.stand.complaints(), Vec::<String>::new(), "{}", vendor.name);
        }
    }
}

#[tokio::test]
async fn a_pause_that_is_not_answered_gets_the_words_so_far() {
    for vendor in &VENDORS {
        let mut call = vendor.call(&["eins zwei drei"], vec![Fault::IgnoresPauses]).await;
        call.listening().begin();
        call.sound(1_600, 8_000);
        let text = call.text(1).await;
        assert!("eins zwei drei".starts_with(&text) && !text.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn refusals_leave_nobody_waiting_and_name_no_key() {
    for vendor in &VENDORS {
        for (status, code) in [(401, "INVALID_AUTH"), (402, "quota_exceeded")] {
            let mut call = vendor.call(&["hallo"], vec![Fault::Refuses(status, code)]).await;
            call.listening().begin();
            call.sound(400, 8_000);
            assert_eq!(call.answer(1).await.0, Transcript::Failed, "{} {status}", vendor.name);
        }
        let mut call = vendor.call(&["hallo"], vec![Fault::Refuses(503, "UNAVAILABLE")]).await;
        let again = || (call.stand.connections() >= 2).then_some(());
        within(PATIENCE, "another connection", again).await;
        call.listening().begin();
        call.say(400);
        assert_eq!(call.text(1).await, "hallo", "{}", vendor.name);

        let stand = vendor.stand(&[], Vec::new()).await;
        (vendor.transcriber)(&stand, KEY).warm_up().await.expect("it is there");
        let stranger = (vendor.transcriber)(&stand, "wrong-4712");
        let why = stranger.warm_up().await.expect_err("a refusal");
        assert_eq!(why.retry, Retry::Never);
        assert!(why.reason.contains("the key is refused"), "{} {why}", vendor.name);
        assert!(!format!("{why} {why:?} {stranger:?}").contains("4712"), "{}", vendor.name);
    }
    let stand = VENDORS[0].stand(&[], vec![Fault::Refuses(429, "TOO_MANY")]).await;
    let why = (VENDORS[0].transcriber)(&stand, KEY).warm_up().await.expect_err("a refusal");
    assert_eq!(why.retry, Retry::After(Duration::from_secs(7)));
}
