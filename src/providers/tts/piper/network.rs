//! The network of a Piper voice (VITS), by ONNX Runtime.

use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;

use crate::providers::onnx;

/// The network, for one thread.
pub(super) struct Network {
    session: Session,
    has_speakers: bool,
}

/// How a text is spoken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Manner {
    /// How much the sound varies, how long phonemes are, and how much their lengths vary.
    pub scales: [f32; 3],
    /// Who speaks.
    pub speaker: i64,
}

impl Network {
    /// Loads a network and has it speak `numbers` once.
    ///
    /// # Errors
    /// When ONNX Runtime or the network is missing or does not fit; the text names the file.
    pub fn load(file: &Path, (numbers, manner): (&[i64], &Manner)) -> Result<Self, String> {
        let session = onnx::session(file)?;
        let takes = |name: &str| session.inputs().iter().any(|input| input.name() == name);
        if let Some(missing) = INPUTS.into_iter().find(|name| !takes(name)) {
            return Err(format!("{} is no Piper voice: it takes no `{missing}`", file.display()));
        }
        let has_speakers = takes("sid");
        let mut network = Self { session, has_speakers };
        network.speak(numbers, manner).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(network)
    }

    /// The sound of phonemes, each sample between -1 and 1 or a little beyond.
    ///
    /// # Errors
    /// When the network does not fit.
    pub fn speak(&mut self, numbers: &[i64], manner: &Manner) -> Result<Vec<f32>, String> {
        self.run(numbers, manner).map_err(|why| why.to_string())
    }

    fn run(&mut self, numbers: &[i64], manner: &Manner) -> ort::Result<Vec<f32>> {
        let (length, speaker) = ([numbers.len() as i64], [manner.speaker]);
        let mut inputs = ort::inputs![
            "input" => TensorRef::from_array_view(([1, numbers.len()], numbers))?,
            "input_lengths" => TensorRef::from_array_view(([1], &length[..]))?,
            "scales" => TensorRef::from_array_view(([3], &manner.scales[..]))?,
        ];
        if self.has_speakers {
            let speaker = TensorRef::from_array_view(([1], &speaker[..]))?;
            inputs.extend(ort::inputs!["sid" => speaker]);
        }
        let outputs = self.session.run(inputs)?;
        let (_, sound) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(sound.to_vec())
    }
}

/// What every voice takes.
const INPUTS: [&str; 3] = ["input", "input_lengths", "scales"];
