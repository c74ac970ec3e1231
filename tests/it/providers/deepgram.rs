//! Deepgram's interfaces against a stand-in that speaks them, and misbehaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use voxtrunk::agent::event::{PauseId, Transcript, Verdict};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::providers::error::Retry;
use voxtrunk::providers::fakes::deepgram::{Fault, Script, open, scripted};
use voxtrunk::providers::fakes::stand::{Stand, nobody};
use voxtrunk::providers::stt::deepgram::transcriber::{Deepgram, Settings};
use voxtrunk::providers::transcriber::{Context, Heard, Listening, Transcriber};

use crate::wire::server::{PATIENCE, within};

const KEY: &str = "sesame-4711";

/// A call that is heard by a stand-in.
struct Call {
    stand: Stand,
    deepgram: Deepgram,
    listening: Option<Box<dyn Listening>>,
    heard: mpsc::Receiver<Heard>,
}

impl Call {
    async fn open(model: &str, sentences: &[&str], faults: Vec<Fault>) -> Self {
        let delay = Duration::ZERO;
        let observer = nobody();
        let script = Script { key: KEY, ear: scripted(sentences), delay, faults, observer };
        let stand = open(script).await.expect("a port");
        let context = Context {
            language: "de".parse().expect("a language"),
            grammar: None,
            key_terms: vec!["Müller & Söhne".to_owned()],
        };
        let settings = Settings {
            name: "ears".to_owned(),
            base_url: stand.base_url(),
            api_key: KEY.into(),
            model: model.to_owned(),
        };
        let deepgram = Deepgram::new(settings, context.clone());
        let (sender, heard) = mpsc::channel(32);
        let listening = deepgram.open(context, sender).await.expect("it opens");
        Self { stand, deepgram, listening: Some(listening), heard }
    }

    fn listening(&mut self) -> &mut dyn Listening {
        &mut **self.listening.as_mut().expect("it is not dropped")
    }

    /// The caller makes a sound, or none, for so long.
    fn sound(&mut self, millis: usize, loudness: i16) {
        for _ in 0..millis / 20 {
            let samples = (0..320).map(|at| if at % 40 < 20 { loudness } else { -loudness });
            let frame = Frame::new(Rate::WIDE, samples.collect());
            self.listening().hear(&frame);
        }
    }

    async fn next(&mut self) -> Heard {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        next.expect("a text in time").expect("the call is heard")
    }

    /// The next words that are more than partial. A broken socket is told without being asked, of no
    /// pause at all.
    async fn word(&mut self) -> Heard {
        loop {
            let heard = self.next().await;
            let unasked = heard.pause == PauseId::default();
            match heard.transcript {
                Transcript::Partial { .. } => {}
                Transcript::Failed if unasked => {}
                _ => return heard,
            }
        }
    }

    async fn text(&mut self, pause: u64) -> String {
        let heard = self.word().await;
        assert_eq!(heard.pause, PauseId(pause));
        match heard.transcript {
            Transcript::Final { text, .. } => text,
            other => panic!("no final text: {other:?}"),
        }
    }

    async fn connected(&self, times: usize) {
        within(PATIENCE, "another connection", || {
            let opened = self.stand.heard().iter().filter(|it| it.starts_with("opens")).count();
            (opened >= times).then_some(())
        })
        .await;
    }

    /// Ends the call; gives what the stand-in was told.
    async fn close(mut self) -> Vec<String> {
        self.listening = None;
        within(PATIENCE, "the end of the stream", || {
            self.stand.heard().contains(&"CloseStream".to_owned()).then_some(())
        })
        .await;
        assert_eq!(self.stand.complaints(), Vec::<String>::new());
        self.stand.heard()
    }
}

#[tokio::test]
async fn words_are_heard_as_they_are_said_and_for_certain_at_the_pause() {
    let sentences = ["ich hätte gern einen Termin", "am Montag", "ja"];
    let mut call = Call::open("nova-3", &sentences, Vec::new()).await;
    call.connected(1).await;
    call.listening().begin();
    call.sound(2_000, 8_000);
    let first = call.next().await;
    let Transcript::Partial { text } = &first.transcript else { panic!("{first:?}") };
    assert!(sentences[0].starts_with(text.as_str()) && !text.is_empty(), "{text}");
    call.listening().finalize(PauseId(1));
    assert_eq!(call.text(1).await, sentences[0]);
    // The caller goes on: the next pause covers both.
    call.sound(800, 8_000);
    call.listening().finalize(PauseId(2));
    assert_eq!(call.text(2).await, "ich hätte gern einen Termin am Montag");
    call.listening().forget();
    call.listening().begin();
    call.sound(400, 8_000);
    call.listening().finalize(PauseId(3));
    assert_eq!(call.text(3).await, "ja");
    let heard = call.close().await;
    assert_eq!(heard[0], "opens /v1/listen [\"Müller & Söhne\"]");
}

#[tokio::test]
async fn another_connection_hears_the_turn_from_its_beginning() {
    let faults = vec![Fault::CutsAfter(24_000)];
    let mut call = Call::open("nova-3", &["guten Tag zusammen"], faults).await;
    call.listening().begin();
    call.sound(1_600, 8_000);
    call.connected(2).await;
    call.sound(200, 8_000);
    call.listening().finalize(PauseId(1));
    assert_eq!(call.text(1).await, "guten Tag zusammen");
    assert_eq!(call.stand.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_and_nonsense_leave_nobody_waiting() {
    for (fault, retry) in [
        (Fault::Refuses(401, "INVALID_AUTH"), Retry::Never),
        (Fault::Refuses(402, "ASR_PAYMENT_REQUIRED"), Retry::Never),
        (Fault::Refuses(429, "TOO_MANY_REQUESTS"), Retry::Now),
        (Fault::Refuses(503, "UNAVAILABLE"), Retry::Now),
    ] {
        let mut call = Call::open("nova-3", &["hallo"], vec![fault; 2]).await;
        // The socket of the call is refused first, and this one, too.
        within(PATIENCE, "a refusal", || (call.stand.connections() > 0).then_some(())).await;
        let why = call.deepgram.warm_up().await.expect_err("it is refused");
        assert_eq!(why.retry, retry, "{why}");
        assert!(!format!("{why} {why:?} {:?}", call.deepgram).contains(KEY));
        if retry == Retry::Never {
            call.listening().begin();
            call.listening().finalize(PauseId(1));
            assert_eq!(call.word().await.transcript, Transcript::Failed);
        } else {
            call.connected(1).await;
            call.listening().begin();
            call.sound(400, 8_000);
            call.listening().finalize(PauseId(1));
            assert_eq!(call.text(1).await, "hallo");
        }
    }
    let mut call = Call::open("nova-3", &["hallo"], vec![Fault::Garbage]).await;
    call.listening().begin();
    call.sound(800, 8_000);
    call.connected(2).await;
    call.listening().finalize(PauseId(1));
    assert_eq!(call.text(1).await, "hallo");
}

#[tokio::test]
async fn a_pause_that_is_not_answered_gets_the_words_so_far() {
    let mut call = Call::open("nova-3", &["eins zwei drei"], vec![Fault::IgnoresPauses]).await;
    call.listening().begin();
    call.sound(1_600, 8_000);
    call.next().await;
    call.listening().finalize(PauseId(1));
    let text = call.text(1).await;
    assert!("eins zwei drei".starts_with(&text) && !text.is_empty(), "{text}");
}

#[tokio::test]
async fn flux_says_by_itself_when_the_turn_is_over() {
    let sentences = ["I would like to book", "yes"];
    let mut call = Call::open("flux-general-multi", &sentences, Vec::new()).await;
    call.connected(1).await;
    call.listening().begin();
    call.sound(2_400, 8_000);
    assert!(matches!(call.next().await.transcript, Transcript::Partial { .. }));
    let judged = |verdict| {
        let text = sentences[0].to_owned();
        Transcript::Judged { text, verdict }
    };
    call.sound(240, 0);
    assert_eq!(call.word().await.transcript, judged(Verdict::Likely));
    call.sound(400, 8_000);
    assert_eq!(call.word().await.transcript, judged(Verdict::Open));
    call.sound(500, 0);
    assert_eq!(call.word().await.transcript, judged(Verdict::Likely));
    assert_eq!(call.word().await.transcript, judged(Verdict::Over));
    call.listening().forget();
    // A turn that is taken before its end: nothing of it is heard in the next.
    call.listening().begin();
    call.sound(400, 8_000);
    call.listening().finalize(PauseId(1));
    let heard = call.word().await;
    assert!(matches!(heard.transcript, Transcript::Judged { verdict: Verdict::Open, .. }));
    call.listening().forget();
    let heard = call.close().await;
    assert!(heard.contains(&"ForceEndTurn".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn many_calls_share_a_transcriber_and_nothing_else() {
    let call = Call::open("nova-3", &[], Vec::new()).await;
    let deepgram = Arc::new(call.deepgram);
    let context = Context {
        language: "en".parse().expect("a language"),
        grammar: None,
        key_terms: Vec::new(),
    };
    let mut ends = Vec::new();
    for _ in 0..5 {
        let (sender, mut heard) = mpsc::channel(4);
        let mut one = deepgram.open(context.clone(), sender).await.expect("it opens");
        one.begin();
        one.finalize(PauseId(1));
        ends.push(async move {
            let text = heard.recv().await.expect("a text");
            drop(one);
            text
        });
    }
    for heard in futures_util::future::join_all(ends).await {
        assert!(matches!(&heard.transcript, Transcript::Final { text, .. } if text.is_empty()));
    }
}
