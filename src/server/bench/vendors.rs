//! Turns through vendors: a caller asks an agent who hears, thinks and speaks through stand-ins on
//! the loopback. Questions and answers are coded, and only right answers count. What is heard is
//! measured in the caller's recording.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use super::{Figure, median, millis, quantile, stage};
use crate::audio::codec::Codec;
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample;
use crate::call::event::Fact;
use crate::call::record::Latency;
use crate::config::external::FilesOnly;
use crate::config::load::{Origin, Request, load};
use crate::engine::bus::Told;
use crate::engine::clock;
use crate::engine::phone::{Act, Line, Script, When};
use crate::providers::fakes::band::{self, Band, Score};
use crate::providers::fakes::code;
use crate::providers::fakes::stand::Mark;
use crate::server::assembly;
use crate::server::demo;
use crate::server::running::Running;

/// What the stand-ins did, and when.
type Marks = Arc<Mutex<Vec<(Mark, Instant)>>>;

/// What came of some calls.
#[derive(Default)]
struct Outcome {
    /// From the caller's last sound to the agent's first, as the caller heard it.
    answers: Vec<f64>,
    /// From the decision that the turn is over to the first packet.
    overhead: Vec<f64>,
    asked: usize,
    right: usize,
    marks: Vec<(Mark, Instant)>,
}

/// Measures.
///
/// # Errors
/// When a server or a stand-in does not start: one sentence.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let prompt = run(Pace::Zero, 1, 12).await?;
    let many = run(Pace::Zero, MANY, 4).await?;
    let real = run(Pace::Real, 1, 12).await?;
    let (to_mind, to_mouth) = prompt.hops();
    let (real_mind, real_mouth) = real.hops();
    let right = |outcome: &Outcome| format!("{} of {} answers right", outcome.right, outcome.asked);
    let paced = "hears 100 ms, thinks 250 ms and 12 ms a word, speaks 120 ms";
    Ok(vec![
        Figure::new("vendors.overhead", median(&prompt.overhead), "ms")
            .at_most(3.0)
            .told(format!("turn taken to first packet, nobody takes time; {}", right(&prompt))),
        Figure::new("vendors.overhead_p99", quantile(&prompt.overhead, 0.99), "ms").at_most(10.0),
        Figure::new("vendors.overhead_many_p99", quantile(&many.overhead, 0.99), "ms")
            .at_most(15.0)
            .told(format!("{MANY} calls at once; {}", right(&many))),
        Figure::new("vendors.hop_to_model", median(&to_mind), "ms")
            .at_most(0.3)
            .told("text sent by one stand-in to request at the next"),
        Figure::new("vendors.hop_to_voice", median(&to_mouth), "ms")
            .at_most(0.3)
            .told("first clause sent by one stand-in to request at the next"),
        Figure::new("vendors.answer_prompt", median(&prompt.answers), "ms")
            .told("the caller's last sound to the agent's first, in the caller's recording"),
        Figure::new("vendors.answer", median(&real.answers), "ms")
            .at_most(500.0)
            .told(format!("the same; {paced}; {}", right(&real))),
        Figure::new("vendors.answer_p99", quantile(&real.answers, 0.99), "ms"),
        Figure::new("vendors.hop_to_model_real", median(&real_mind), "ms"),
        Figure::new("vendors.hop_to_voice_real", median(&real_mouth), "ms"),
    ])
}

/// How fast the stand-ins are.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Zero,
    Real,
}

impl Outcome {
    /// From the text to the model's request, and from the first clause to the voice's.
    fn hops(&self) -> (Vec<f64>, Vec<f64>) {
        let after = |from: Mark, to: Mark| {
            let pairs = self.marks.windows(2);
            let hops = pairs.filter(|pair| pair[0].0 == from && pair[1].0 == to);
            hops.map(|pair| millis(pair[1].1.saturating_duration_since(pair[0].1))).collect()
        };
        (after(Mark::Transcribed, Mark::Asked), after(Mark::Worded, Mark::Ordered))
    }
}

async fn run(pace: Pace, calls: usize, turns: usize) -> Result<Outcome, String> {
    let voice = stage::voice()?;
    let question = trimmed(demo::spoken(&voice, "is it open").await?);
    let speech =
        resample::convert(&trimmed(demo::spoken(&voice, "there you are").await?), Rate::WIDE);
    let marks = Marks::default();
    let score = score(pace, speech.samples, marks.clone());
    let band = Band::open(&score);
    let band = band.await.map_err(|why| why.to_string())?;
    let server = server(&band).await?;
    let media = stage::phone_media()?;
    let target = format!("sip:901@{}", server.local());
    let facts = server.watch();
    let folder = std::env::temp_dir().join(format!("voxtrunk-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
    let one = async |call: usize| -> Result<(Vec<String>, Frame, Frame), String> {
        let mut phone = stage::phone(server.local().ip(), &media)?;
        let questions: Vec<String> =
            (0..turns).map(|turn| format!("{:02}", (call * 37 + turn * 13 + 7) % 100)).collect();
        let lines = questions.iter().map(|keys| ask(keys, &question)).collect();
        let path = folder.join(format!("call-{call}.wav"));
        let recording = Some(path.clone());
        let patience = Duration::from_secs(3);
        let script = Script { lines, recording, patience, ..Script::default() };
        // Nobody watches: the recording tells.
        let (sender, _) = mpsc::channel(1);
        phone.call(&target, script, sender).await.map_err(|why| why.to_string())?;
        let (heard, said) = sides(&path)?;
        Ok((questions, heard, said))
    };
    let all = futures_util::future::join_all((0..calls).map(one));
    let (called, timed) = tokio::join!(all, timeout(LONGEST, timed(facts, calls)));
    let timed = timed.map_err(|_| "the calls do not end".to_owned())?;
    let overhead =
        timed.iter().filter_map(|it| Some(it.first_packet?.saturating_sub(it.committed?)));
    let mut outcome = Outcome { overhead: overhead.map(millis).collect(), ..Outcome::default() };
    for call in called {
        let (questions, heard, said) = call?;
        outcome.count(&questions, &heard, &said);
    }
    server.drain(Duration::from_secs(2)).await;
    outcome.marks = marks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match band.complaints().first() {
        Some(complaint) => Err(format!("a stand-in complains: {complaint}")),
        None => Ok(outcome),
    }
}

fn score(pace: Pace, speech: Vec<i16>, marks: Marks) -> Score {
    let millis = Duration::from_millis;
    let [hears, thinks, per_word, speaks] = match pace {
        Pace::Zero => [Duration::ZERO; 4],
        Pace::Real => [millis(100), millis(250), millis(12), millis(120)],
    };
    let observer = Arc::new(move |mark| {
        let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push((mark, clock::now()));
    });
    Score { hears, thinks, per_word, speaks, speech, observer }
}

/// A server with an agent who works through the stand-ins.
async fn server(band: &Band) -> Result<Running, String> {
    let text = |name: &str, text: String| Origin::Text { name: name.to_owned(), text };
    let folder = std::env::temp_dir().join(format!("voxtrunk-bench-{}", std::process::id()));
    let settings = format!(
        "[server]\ndata_dir = {folder:?}\n[[sip.listen]]\nbind = \"127.0.0.1:0\"\n\
         [rtp]\nports = \"23200-23999\"\n[trunks.local]\ninbound = {{ allow = [\"127.0.0.1\"] }}\n\
         [control]\nsocket = \"off\"\n{}",
        band.settings()
    );
    let request = Request {
        server: Some(text("server.toml", settings)),
        dialplans: vec![text("main.toml", DIALPLAN.to_owned())],
        ..Request::default()
    };
    let loaded = load(&request, &|_| None, &FilesOnly);
    if loaded.has_errors() {
        let first = loaded.diagnostics.first().map(|found| found.message.clone());
        return Err(format!("the settings are wrong: {}", first.unwrap_or_default()));
    }
    let blueprint = assembly::blueprint(&loaded).await.map_err(|why| why.to_string())?;
    Running::start(blueprint).map_err(|why| why.to_string())
}

/// A question: its keys, and speech behind them, since nobody takes tones for speech.
fn ask(keys: &str, question: &Frame) -> Line {
    let mut samples = code::sound(keys, question.rate);
    samples.extend(&question.samples);
    // The caller's beginning must not be lost while the gate makes up its mind.
    let mut clip = question.samples.clone();
    clip.extend(samples);
    let clip = resample::convert(&Frame::new(question.rate, clip), Codec::Pcmu.rate());
    Line { when: When::Quiet, act: Act::Say(keys.to_owned(), clip) }
}

impl Outcome {
    /// Counts the right answers of a call, and how long each let the caller wait.
    fn count(&mut self, questions: &[String], heard: &Frame, said: &Frame) {
        self.asked += questions.len();
        let mut from = 0;
        let asked = sounds(said);
        for (question, (_, end)) in questions.iter().zip(&asked) {
            // The answer is the first sound after the question, up to the next question.
            let next = asked.iter().find(|(begin, _)| begin > end).map(|(begin, _)| *begin);
            let next = next.unwrap_or(heard.samples.len()).min(heard.samples.len());
            from = from.max(*end);
            let Some(answer) = heard.samples.get(from..next) else { continue };
            let quiet = answer.iter().position(|sample| sample.unsigned_abs() > LOUD);
            let Some(quiet) = quiet else { continue };
            if code::keys(answer, heard.rate) == band::answer(question) {
                self.right += 1;
                self.answers.push(millis(heard.rate.duration_of(quiet)));
            }
        }
    }
}

/// Where sounds begin and end that are parted by at least half a second.
fn sounds(clip: &Frame) -> Vec<(usize, usize)> {
    let apart = clip.rate.samples_in(Duration::from_millis(500));
    let mut found: Vec<(usize, usize)> = Vec::new();
    let loud = clip.samples.iter().enumerate().filter(|(_, it)| it.unsigned_abs() > LOUD);
    for (at, _) in loud {
        match found.last_mut() {
            Some((_, end)) if at - *end < apart => *end = at,
            Some(_) | None => found.push((at, at)),
        }
    }
    found
}

/// What the phone heard, and what it said.
fn sides(path: &Path) -> Result<(Frame, Frame), String> {
    let mut reader = hound::WavReader::open(path).map_err(|why| why.to_string())?;
    let rate = Rate(reader.spec().sample_rate);
    let samples: Result<Vec<i16>, _> = reader.samples::<i16>().collect();
    let samples = samples.map_err(|why| why.to_string())?;
    let side = |first: usize| samples.iter().skip(first).step_by(2).copied().collect();
    Ok((Frame::new(rate, side(0)), Frame::new(rate, side(1))))
}

/// The latency of each turn until all calls have ended.
async fn timed(mut facts: broadcast::Receiver<Told>, calls: usize) -> Vec<Latency> {
    let (mut turns, mut ended) = (Vec::new(), 0);
    while ended < calls {
        match facts.recv().await.map(|told| told.fact) {
            Ok(fact) => {
                if let Fact::TurnTimed { latency, .. } = &*fact {
                    turns.push(*latency);
                }
                ended += usize::from(matches!(&*fact, Fact::Ended { .. }));
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => break,
        }
    }
    turns
}

/// A clip that begins and ends with a sound.
fn trimmed(mut clip: Frame) -> Frame {
    let is_loud = |sample: &i16| sample.unsigned_abs() > LOUD;
    let end = clip.samples.iter().rposition(is_loud).map_or(0, |at| at + 1);
    clip.samples.truncate(end);
    let begin = clip.samples.iter().position(is_loud).unwrap_or(0);
    clip.samples.drain(..begin);
    clip
}

/// How long a series of calls may take.
const LONGEST: Duration = Duration::from_secs(300);

/// How many calls there are at once.
const MANY: usize = 20;

/// Louder than what a codec makes of silence.
const LOUD: u16 = 800;

const DIALPLAN: &str = r#"
[[route]]
to = "agent:clerk"

[agents.clerk]
first_message = "Hello there."
prompt        = "You say which number comes next."
disclosure    = "none"
disclosure_reason = "nobody listens"
stt.provider  = "ears"
llm.provider  = "mind"
tts.provider  = "mouth"
"#;
