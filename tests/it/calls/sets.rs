//! Sets of turns, scored: pauses within turns, sounds over the agent, and its own voice coming back.
//! Real voices through the real speech gate and Silero, then a session in virtual time; the text is
//! what was said. `cargo test --test it calls::sets -- --nocapture` prints the tables that stand in
//! `tests/benches/RESULTS.md`.

mod line;
mod talk;
mod voices;

use voxtrunk::agent::assistant::{Assistant, Turns};
use voxtrunk::agent::event::{Note, Output};

use line::{Heard, hear, hear_beside};
use talk::{Hearing, Log, Script, play};
use voices::{Voice, cough, echo_of, spoken, trimmed};

/// A turn in two parts: a caller who thinks between them.
const PAUSED: [(&str, &str); 6] = [
    ("I would like to", "book an appointment on Monday."),
    ("My number is four one five", "five five five two six seven one."),
    ("Could you tell me whether", "you are open on Saturday?"),
    ("I need a repair because", "my brakes are broken."),
    ("Hello, um", "how much is a new tyre?"),
    ("I am calling about my bicycle", "which I brought on Friday."),
];

const PAUSED_IN_GERMAN: [(&str, &str); 4] = [
    ("Ich hätte gerne", "einen Termin am Montag."),
    ("Können Sie mir sagen, ob", "Sie am Samstag geöffnet haben?"),
    ("Meine Nummer ist null eins sieben", "drei vier fünf sechs."),
    ("Also ähm", "was kostet ein neuer Reifen?"),
];

/// How long they think, in milliseconds.
const PAUSES: [u64; 6] = [200, 350, 500, 700, 900, 1_100];

#[tokio::test]
async fn callers_who_think_within_a_turn_are_let_finish() {
    let voices = [Voice::Flite("rms"), Voice::Flite("awb"), Voice::Flite("slt"), Voice::ENGLISH];
    let mut turns = Vec::new();
    for voice in voices {
        for (one, two) in PAUSED {
            turns.push((voice, one, two));
        }
    }
    turns.extend(PAUSED_IN_GERMAN.map(|(one, two)| (Voice::GERMAN, one, two)));
    println!("pause      cut in   cut in, not preemptive   answered after   thoughts a turn");
    let mut cut_in_all = 0;
    for pause in PAUSES {
        let mut score = Score::default();
        for (voice, one, two) in &turns {
            let parts = [spoken(*voice, one).await, spoken(*voice, two).await];
            let heard = hear(&parts.map(|part| trimmed(&part)), pause);
            let said = [*one, *two];
            score.add(&turn(*voice, true, &heard, said), &heard);
            score.plain += usize::from(cuts_in(&turn(*voice, false, &heard, said), &heard));
        }
        cut_in_all += score.cut_in;
        assert!(score.cut_in <= score.plain, "speculation cuts in: {score:?}");
        println!("{pause:>5} ms {}", score.line());
    }
    let share = 100 * cut_in_all / (PAUSES.len() * turns.len());
    println!("{share} of 100 pauses are cut into");
    assert!(share <= MOST_CUT_INTO, "{share} of 100");
}

/// One turn of a caller.
fn turn(voice: Voice, preemptive: bool, heard: &Heard, said: [&str; 2]) -> Log {
    let language = voice.language();
    let turns = Turns { preemptive, ..Turns::default() };
    let assistant = Assistant { language, turns, ..Assistant::default() };
    let hearing = Hearing { delay: 100, partials: true };
    play(Script { assistant, first: "", heard, said: &said, hearing, until: heard.lasts + 3_000 })
}

fn cuts_in(log: &Log, heard: &Heard) -> bool {
    let second = heard.parts[1].0;
    log.taken().first().is_some_and(|at| *at < second)
}

#[derive(Debug, Default)]
struct Score {
    turns: usize,
    cut_in: usize,
    /// Without speculation.
    plain: usize,
    thoughts: usize,
    waits: Vec<u64>,
}

impl Score {
    fn add(&mut self, log: &Log, heard: &Heard) {
        self.turns += 1;
        self.thoughts += log.count(|it| matches!(it, Output::Think { .. }));
        if cuts_in(log, heard) {
            self.cut_in += 1;
        } else if let Some(taken) = log.taken().first() {
            self.waits.push(taken.saturating_sub(heard.parts[1].1));
        }
    }

    fn line(&mut self) -> String {
        self.waits.sort_unstable();
        let median = self.waits.get(self.waits.len() / 2).copied().unwrap_or_default();
        let (turns, cut_in, plain) = (self.turns, self.cut_in, self.plain);
        let thoughts = self.thoughts as f64 / self.turns as f64;
        format!("{cut_in:>4} of {turns} {plain:>15} of {turns} {median:>13} ms {thoughts:>17.2}")
    }
}

/// What people say to one who speaks, and mean "go on".
const URGES: [&str; 7] = ["mhm", "uh-huh", "yeah", "okay", "right", "I see", "alright"];

/// What they say to be heard.
const STOPS: [&str; 6] =
    ["stop", "wait a moment", "no, I have a question", "excuse me", "hold on please", "hello?"];

const LONG: &str = "We are open from Monday to Friday between nine and six, on Saturday from ten to \
                    two, and on Sunday and on holidays we are closed, but you may always leave a \
                    message, which we answer as soon as we can on the next working day.";

#[tokio::test]
async fn urges_and_coughs_do_not_stop_the_agent_and_words_do() {
    println!("{:<34} stopped    silent after, median and p95    gives up after", "");
    for partials in [true, false] {
        let how = if partials { "words at once" } else { "words at the end" };
        let hearing = Hearing { delay: 100, partials };
        let mut urged = Stops::default();
        for voice in [Voice::Flite("rms"), Voice::Flite("awb"), Voice::ENGLISH] {
            for urge in URGES {
                let clip = trimmed(&spoken(voice, urge).await);
                urged.add(&over(&hear(&[clip], 0), urge, hearing));
            }
        }
        println!("{:<34} {}", format!("urges, {how}"), urged.line());
        let mut coughs = Stops::default();
        for seed in 0..20 {
            coughs.add(&over(&hear(&[cough(seed)], 0), "", hearing));
        }
        println!("{:<34} {}", format!("coughs, {how}"), coughs.line());
        let mut meant = Stops::default();
        for voice in [Voice::Flite("rms"), Voice::Flite("awb"), Voice::ENGLISH] {
            for words in STOPS {
                let clip = trimmed(&spoken(voice, words).await);
                meant.add(&over(&hear(&[clip], 0), words, hearing));
            }
        }
        println!("{:<34} {}", format!("interruptions, {how}"), meant.line());
        assert!(coughs.stopped * 20 <= coughs.sounds, "{coughs:?}");
        assert!(meant.stopped == meant.sounds, "{meant:?}");
        if partials {
            assert!(urged.stopped * 20 <= urged.sounds, "{urged:?}");
        }
    }
}

/// A sound over an agent that tells something long.
fn over(heard: &Heard, words: &str, hearing: Hearing) -> (Log, u64) {
    let heard = heard.clone().from(2_000);
    let until = heard.lasts + 3_000;
    let assistant = Assistant::default();
    let said = [words];
    let onset = heard.parts[0].0;
    (play(Script { assistant, first: LONG, heard: &heard, said: &said, hearing, until }), onset)
}

#[derive(Debug, Default)]
struct Stops {
    sounds: usize,
    stopped: usize,
    silent: Vec<u64>,
    given_up: Vec<u64>,
}

impl Stops {
    fn add(&mut self, (log, onset): &(Log, u64)) {
        self.sounds += 1;
        let after = |at: Option<u64>| at.map(|at| at.saturating_sub(*onset));
        self.silent.extend(after(log.first(|it| matches!(it, Output::Pause))));
        if log.notes().any(|note| *note == Note::Interrupted) {
            self.stopped += 1;
            self.given_up.extend(after(log.first(|it| matches!(it, Output::Flush { .. }))));
        }
    }

    fn line(&mut self) -> String {
        let at = |times: &mut Vec<u64>, share: usize| {
            times.sort_unstable();
            let place = (times.len() * share / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or("-".to_owned(), |time| format!("{time} ms"))
        };
        let (half, most) = (at(&mut self.silent, 50), at(&mut self.silent, 95));
        let up = at(&mut self.given_up, 50);
        format!("{:>2} of {:<6} {half:>8} {most:>8} {up:>25}", self.stopped, self.sounds)
    }
}

#[tokio::test]
async fn its_own_voice_that_comes_back_does_not_stop_the_agent() {
    let said = trimmed(&spoken(Voice::Flite("slt"), LONG).await);
    let stop = trimmed(&spoken(Voice::Flite("rms"), "no, I have a question").await);
    println!(
        "{:>8} {:>8} {:>12} {:>12} {:>14}",
        "late", "down", "with a gate", "without", "caller heard"
    );
    let (mut through, mut open, mut missed) = (0, 0, 0);
    for late in [10, 40, 100, 200, 400] {
        for down in [15.0, 20.0, 30.0] {
            let echo = echo_of(&said, late, down);
            let stops = |gate| hear_beside(&echo, &said, gate).onsets();
            let (gated, bare) = (stops(true), stops(false));
            let mut both = echo.clone();
            for (sample, word) in both.samples[24_000..].iter_mut().zip(&stop.samples) {
                *sample = sample.saturating_add(*word);
            }
            let heard = hear_beside(&both, &said, true);
            let onset = heard.first_onset().filter(|at| (3_000..3_400).contains(at));
            let told = onset.map_or("-".to_owned(), |at| format!("{} ms", at - 3_000));
            println!("{late:>5} ms {down:>5} dB {gated:>12} {bare:>12} {told:>14}");
            (through, open) = (through + usize::from(gated > 0), open + usize::from(bare > 0));
            missed += usize::from(onset.is_none());
        }
    }
    println!("{through} of 15 lines with a gate, {open} without; {missed} of 15 callers missed");
    assert_eq!(open, 15, "there is something to keep out");
    // Those that come back 30 dB down are hardly louder than the line itself.
    assert!(through <= 4, "{through} of 15");
    assert!(missed <= 1, "{missed}");
}

/// Of a hundred pauses of up to 1.1 s, as measured and a little more.
const MOST_CUT_INTO: usize = 40;
