//! Smart Turn v3 by ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::session::Session;
use ort::value::TensorRef;

use crate::providers::error::ProviderError;
use crate::providers::onnx;
use crate::providers::turn::features::{BANDS, FRAMES, Features};
use crate::providers::turn::pool::Pool;

/// The file of the model among the models.
pub const FILE: &str = "smart-turn-v3.2-cpu.onnx";

/// Loads the model, hears a little silence with it, and starts the threads.
///
/// # Errors
/// When ONNX Runtime or the model is missing or does not fit, or no thread can be started.
pub fn load(model: &Path) -> Result<Pool, ProviderError> {
    let refuse = |why: String| ProviderError::lasting("smart turn", why);
    let first = Mutex::new(Some(Network::load(model).map_err(refuse)?));
    let path: PathBuf = model.to_owned();
    let pool = Pool::start(NETWORKS, move || {
        // Whoever comes first takes the one that was tried; others load their own.
        let tried = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut network = tried.map_or_else(|| Network::load(&path), Ok);
        move |turn: &[i16]| {
            let complete = network.as_mut().map_err(|why| why.clone()).and_then(|it| it.hear(turn));
            complete.inspect_err(|why| tracing::error!(%why, "the turn model failed")).ok()
        }
    });
    pool.map_err(|why| refuse(format!("cannot start a thread: {why}")))
}

/// The network, for one thread.
pub struct Network {
    session: Session,
    features: Features,
    rows: Vec<f32>,
}

impl Network {
    /// Loads the model and runs it once.
    ///
    /// # Errors
    /// When ONNX Runtime or the model is missing or does not fit; the text names the file.
    pub fn load(model: &Path) -> Result<Self, String> {
        let session = onnx::session(model)?;
        let mut network = Self { session, features: Features::new(), rows: Vec::new() };
        network.hear(&[]).map_err(|why| format!("{}: {why}", model.display()))?;
        Ok(network)
    }

    /// How probable it is that a turn is complete that sounds like this, at 16 kHz.
    ///
    /// # Errors
    /// When the model does not fit.
    pub fn hear(&mut self, turn: &[i16]) -> Result<f32, String> {
        self.features.of(turn, &mut self.rows);
        self.run().map_err(|why| why.to_string())
    }

    fn run(&mut self) -> ort::Result<f32> {
        let input = TensorRef::from_array_view(([1, BANDS, FRAMES], &self.rows[..]))?;
        let outputs = self.session.run(ort::inputs!["input_features" => input])?;
        // The name of the output is older than the network, which ends in a sigmoid.
        let (_, complete) = outputs["logits"].try_extract_tensor::<f32>()?;
        Ok(complete.first().copied().unwrap_or(0.0))
    }
}

/// The most networks, and so threads: each has the weights in memory.
const NETWORKS: usize = 2;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::mpsc;

    use super::*;
    use crate::agent::event::PauseId;
    use crate::providers::turn::features::tests::signal;
    use crate::providers::turn_model::TurnModel;
    use crate::providers::vad::speech::{recorded, synthesised};

    fn model() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(FILE)
    }

    /// What the network says in its makers' own surroundings. Its weights are rounded to eight
    /// bits, and each release of the library multiplies them a little differently.
    const GOLDEN: [(i64, f32); 5] =
        [(51_200, 0.9446), (128_000, 0.6873), (150_000, 0.9140), (100, 0.9794), (0, 0.9870)];

    #[test]
    fn the_network_hears_what_its_makers_hear() {
        let mut network = Network::load(&model()).expect("./dev setup fetches the turn model");
        for (length, expected) in GOLDEN {
            let complete = network.hear(&signal(length)).expect("the model fits");
            assert!((complete - expected).abs() < 0.03, "{length}: {complete}, not {expected}");
        }
    }

    #[test]
    fn the_pool_answers_for_the_pause_that_was_asked_about() {
        let pool = load(&model()).expect("./dev setup fetches the turn model");
        let (answers, mut judgements) = mpsc::channel(1);
        let mut call = pool.open(answers);
        call.ask(PauseId(7), signal(51_200));
        let judgement = judgements.blocking_recv().expect("an answer");
        assert_eq!(judgement.pause, PauseId(7));
        assert!((judgement.complete.probability() - 0.9446).abs() < 0.03, "{judgement:?}");
    }

    #[test]
    fn a_file_that_is_no_model_is_refused_by_its_name() {
        let silero = model().with_file_name("silero_vad.onnx");
        for file in [model().with_file_name("nothing.onnx"), silero] {
            let why = load(&file).map(|_| ()).expect_err("it is no turn model").to_string();
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(why.starts_with("smart turn: ") && why.contains(&name), "{why}");
        }
    }

    /// A turn that ends in the middle: at the quietest place of its middle.
    fn half(speech: &[i16]) -> &[i16] {
        let energy = |at: &usize| -> i64 {
            speech[at - 640..at + 640].iter().map(|it| i64::from(*it).pow(2)).sum()
        };
        let middle = (speech.len() * 3 / 10).max(640)..speech.len() * 7 / 10;
        &speech[..middle.step_by(160).min_by_key(energy).expect("a long turn")]
    }

    /// Speech without the silence at its end, and then a pause in which the room is heard.
    fn paused(speech: &[i16]) -> Vec<i16> {
        let loudest = speech.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
        let voiced = |it: &i16| it.unsigned_abs() > loudest / 20;
        let end = speech.iter().rposition(voiced).map_or(0, |at| at + 1);
        let room = (0..3_200).map(|at| if at % 3 == 0 { 12 } else { -7 });
        speech[..end].iter().copied().chain(room).collect()
    }

    #[test]
    fn people_who_are_done_are_told_from_people_who_pause() {
        let mut network = Network::load(&model()).expect("./dev setup fetches the turn model");
        let (mut took, mut people) = (Vec::new(), Vec::new());
        let recorded = recorded();
        let count = recorded.len();
        println!("{:<18} whole  half", "who");
        for (at, (who, frame)) in recorded.into_iter().chain(synthesised()).enumerate() {
            let speech = crate::audio::resample::convert(&frame, crate::audio::frame::Rate::WIDE);
            let mut judge = |turn: Vec<i16>| {
                let began = Instant::now();
                let complete = network.hear(&turn).expect("the model fits");
                took.push(began.elapsed());
                complete
            };
            let whole = judge(paused(&speech.samples));
            let half = judge(paused(half(&speech.samples)));
            println!("{who:<18} {whole:.3}  {half:.3}");
            assert!((0.0..=1.0).contains(&whole) && (0.0..=1.0).contains(&half));
            if at < count {
                people.push((whole, half));
            }
        }
        took.sort();
        println!(
            "a decision: {:?} at the median",
            took.get(took.len() / 2).unwrap_or(&Duration::ZERO)
        );
        let likely = |it: &f32| *it >= 0.5;
        let (whole, half): (Vec<f32>, Vec<f32>) = people.into_iter().unzip();
        let right = whole.iter().filter(|it| likely(it)).count();
        let wrong = half.iter().filter(|it| likely(it)).count();
        println!("{right} of {count} whole turns and {wrong} halves of people sound complete");
        assert!(count == 0 || right > wrong, "{right} whole turns, {wrong} halves");
    }
}
