//! An agent's manners as a caller hears them: the room behind it, how it yields, its last words.

use std::time::Duration;

use tokio::process::Command;
use voxtrunk::audio::frame::Frame;
use voxtrunk::engine::phone::{Act, Line, When};

use super::caller::{Speaker, play, recorded, say, spoken};
use super::ear::share;
use super::server::{Folder, House, Server, finish, said};

/// A tone that no voice has, so that it is known again.
const HUM: f64 = 1_250.0;

const DESK: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
first_message = "Good morning. MORE"
prompt        = "You help."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }
MANNERS

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six. Have a nice day!"

[[agents.desk.intents]]
id      = "fine"
phrases = ["okay"]
say     = "Fine."
"#;

fn desk(more: &str, manners: &str) -> House {
    House::with(&DESK.replace("MORE", more).replace("MANNERS", manners))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_room_of_an_agent_is_heard_behind_its_silence_and_its_words() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("dialplans")).expect("a folder");
    let mut sox = Command::new("sox");
    sox.args(["-n", "-r", "22050"]).arg(folder.path("dialplans/room.wav"));
    sox.args(["synth", "2", "sine", &HUM.to_string(), "vol", "0.5"]);
    assert_eq!(finish(sox).await.0, Some(0));
    let house = desk("", "ambience = \"room.wav\"\nambience_volume = 0.1");
    let server = Server::start_in(folder, house).await;
    let lines = vec![say(Speaker::Flite("rms"), "what are your opening hours").await];
    let heard = recorded(&server.uri("room"), lines, server.folder.path("room.wav")).await.heard;
    let heard = heard.expect("it was recorded");
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["what are your opening hours"]);
    // A tenth of the half of full scale, and nothing else where nobody speaks; but a recording is
    // stretched by a sample here and there, which turns the phase.
    let rate = f64::from(heard.rate.0);
    let quiet: Vec<i16> = heard
        .samples
        .chunks(heard.rate.0 as usize / 10)
        .filter(|part| (1_500..1_750).contains(&part.iter().copied().max().unwrap_or(0)))
        .flatten()
        .copied()
        .collect();
    let lasts = quiet.len() as f64 / rate;
    assert!(lasts > 1.0, "{lasts} s");
    assert!(share(&quiet, rate, HUM) > 0.7, "{}", share(&quiet, rate, HUM));
    // Behind the words it is there too: the voice alone has next to nothing at that pitch.
    let loud: Vec<&[i16]> = heard
        .samples
        .chunks(heard.rate.0 as usize / 10)
        .filter(|part| part.iter().any(|it| it.unsigned_abs() > 6_000))
        .collect();
    assert!(loud.len() > 10, "{} parts with words", loud.len());
    let hums = loud.iter().filter(|part| amplitude(part, rate, HUM) > 500.0).count();
    assert!(hums * 10 >= loud.len() * 9, "{hums} of {}", loud.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_that_ducks_is_heard_softly_beside_an_okay_and_then_aloud() {
    let more = "This is a long greeting, which nobody needs, and which goes on for quite some time, \
                so that there is something to be said over.";
    let server =
        Server::start(desk(more, "interrupt = { manner = \"duck\", min_speech = \"1s\" }")).await;
    let alone = recorded(&server.uri("alone"), vec![], server.folder.path("alone.wav")).await;
    // Longer than the 400 ms that else interrupt before there are words.
    let okay = spoken(Speaker::Flite("rms"), "okay").await;
    let mut line: Line = play(&okay);
    line.when = When::Over(Duration::from_millis(1_500));
    assert!(matches!(line.act, Act::Say(..)));
    let beside =
        recorded(&server.uri("beside"), vec![line], server.folder.path("beside.wav")).await;
    let [alone, beside] = [alone, beside].map(|it| words_of(&it.heard.expect("a recording")));
    let record = server.records_of("beside", 1).await.remove(0);
    let greeting = format!("Good morning. {more}");
    assert_eq!(
        said(&record, "agent").first(),
        Some(&greeting),
        "it was heard to its end: {record:#}"
    );
    // The voice says the same in both calls: how loud one is against the other, frame by frame.
    let ratios: Vec<f64> = alone
        .chunks_exact(160)
        .zip(beside.chunks_exact(160))
        .filter(|(alone, _)| power(alone) > 250_000.0)
        .map(|(alone, beside)| (power(beside) / power(alone)).sqrt())
        .collect();
    let soft = ratios.iter().filter(|ratio| (0.2..0.32).contains(*ratio)).count();
    let aloud = ratios.iter().filter(|ratio| (0.9..1.1).contains(*ratio)).count();
    assert!(soft >= 10, "{soft} frames softly: {ratios:.2?}");
    assert!(aloud > ratios.len() / 2, "{aloud} of {} aloud: {ratios:.2?}", ratios.len());
    let last = ratios.iter().rposition(|ratio| *ratio < 0.5).unwrap_or_default();
    assert!(last + 10 < ratios.len(), "it ends aloud: {ratios:.2?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_hangs_up_behind_its_last_phrase() {
    let server = Server::start(desk("", "end_phrases = [\"have a nice day\"]")).await;
    let lines = vec![say(Speaker::Flite("rms"), "what are your opening hours").await];
    let call = recorded(&server.uri("bye"), lines, server.folder.path("bye.wav")).await;
    assert!(call.they_hung_up(), "{:?}", call.ending);
    let record = server.record().await;
    assert_eq!(record["end_reason"], "agent_ended", "{record}");
    let last = said(&record, "agent").join(" ");
    assert!(last.ends_with("Have a nice day!"), "{last}");
}

/// From the first sound on.
fn words_of(heard: &Frame) -> Vec<i16> {
    let first = heard.samples.iter().position(|it| it.unsigned_abs() > 200).unwrap_or_default();
    heard.samples[first..].to_vec()
}

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// How loud a tone is.
fn amplitude(samples: &[i16], rate: f64, hertz: f64) -> f64 {
    let power = power(samples) * share(samples, rate, hertz);
    (2.0 * power).sqrt()
}
