//! The weights of Silero VAD, read from its official ONNX file.
//!
//! The graph asks for the sample rate and holds a whole network in each branch of an `If`; the
//! tensors stand in `Constant` nodes there. Both branches use the same names, so the branch is
//! found by the shape of its Fourier basis.

use std::collections::HashMap;

use crate::providers::vad::lanes::Matrix;
use crate::providers::vad::protobuf::{Broken, Fields, Value};

/// The weights of the 16 kHz network.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The four convolutions of the encoder: for each of their three taps a matrix.
    pub encoder: [Convolution; 4],
    /// From the encoder's 128 values to the gates i, f, g, o of 128 cells.
    pub input: Matrix,
    /// From the 128 hidden values to the same gates.
    pub hidden: Matrix,
    /// Added to the gates.
    pub gates: Vec<f32>,
    /// From the 128 hidden values to the one that tells.
    pub output: Vec<f32>,
    /// Added to that one.
    pub threshold: f32,
}

/// A convolution over three frames.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// The matrices for the frame before, the frame itself and the frame after.
    pub taps: [Matrix; 3],
    /// Added to the outputs.
    pub bias: Vec<f32>,
}

/// Why octets are not the model that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSilero {
    /// They are no ONNX file at all.
    #[error("it is not an ONNX file")]
    Broken,
    /// There is no network for 16 kHz in it.
    #[error("it holds no network for 16 kHz where Silero VAD v6.2 has one")]
    Branch,
    /// A tensor is missing or has another shape.
    #[error("its tensor `{0}` is missing or has another shape than in Silero VAD v6.2")]
    Tensor(&'static str),
    /// The frames are analysed in another way.
    #[error("its Fourier basis is not the one of Silero VAD v6.2")]
    Basis,
}

impl From<Broken> for NotSilero {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// How many samples a frame has.
pub const FRAME: usize = 256;
/// How many frequencies a frame has.
pub const BINS: usize = FRAME / 2 + 1;
/// How many cells remember.
pub const CELLS: usize = 128;

impl Weights {
    /// Reads the weights out of the octets of `silero_vad.onnx`.
    ///
    /// # Errors
    /// When the file is another one.
    pub fn read(file: &[u8]) -> Result<Self, NotSilero> {
        let branch = Branch::find(file)?;
        branch.check_basis()?;
        let encoder = [
            branch.convolution(
                ["encoder.0.reparam_conv.weight", "encoder.0.reparam_conv.bias"],
                [BINS, 128],
            )?,
            branch.convolution(
                ["encoder.1.reparam_conv.weight", "encoder.1.reparam_conv.bias"],
                [128, 64],
            )?,
            branch.convolution(
                ["encoder.2.reparam_conv.weight", "encoder.2.reparam_conv.bias"],
                [64, 64],
            )?,
            branch.convolution(
                ["encoder.3.reparam_conv.weight", "encoder.3.reparam_conv.bias"],
                [64, CELLS],
            )?,
        ];
        let gates = 4 * CELLS;
        let input = branch.tensor("decoder.rnn.weight_ih", &[gates, CELLS])?;
        let hidden = branch.tensor("decoder.rnn.weight_hh", &[gates, CELLS])?;
        let of_input = branch.tensor("decoder.rnn.bias_ih", &[gates])?;
        let of_hidden = branch.tensor("decoder.rnn.bias_hh", &[gates])?;
        Ok(Self {
            encoder,
            input: Matrix::of_outputs(&input, gates),
            hidden: Matrix::of_outputs(&hidden, gates),
            gates: of_input.iter().zip(&of_hidden).map(|(one, other)| one + other).collect(),
            output: branch.tensor("decoder.decoder.2.weight", &[1, CELLS, 1])?,
            threshold: branch.tensor("decoder.decoder.2.bias", &[1])?[0],
        })
    }
}

/// The tensors of the branch for 16 kHz, by name.
struct Branch<'a> {
    tensors: HashMap<&'a str, Tensor<'a>>,
}

/// A tensor of 32-bit floats.
#[derive(Debug, Clone)]
struct Tensor<'a> {
    shape: Vec<usize>,
    octets: &'a [u8],
}

impl<'a> Branch<'a> {
    /// Walks down the fixed way model, graph, `If`, branch; the field numbers are ONNX's.
    fn find(file: &'a [u8]) -> Result<Self, NotSilero> {
        for graph in Fields::of(file).octets(MODEL_GRAPH) {
            for node in Fields::of(graph?).octets(GRAPH_NODE) {
                for attribute in Fields::of(node?).octets(NODE_ATTRIBUTE) {
                    for branch in Fields::of(attribute?).octets(ATTRIBUTE_GRAPH) {
                        let branch = Self { tensors: tensors(branch?)? };
                        let basis = branch.tensors.get(BASIS);
                        if basis.is_some_and(|basis| basis.shape == [2 * BINS, 1, FRAME]) {
                            return Ok(branch);
                        }
                    }
                }
            }
        }
        Err(NotSilero::Branch)
    }

    fn tensor(&self, name: &'static str, shape: &[usize]) -> Result<Vec<f32>, NotSilero> {
        let tensor = self.tensors.get(name).filter(|tensor| tensor.shape == shape);
        let tensor = tensor.ok_or(NotSilero::Tensor(name))?;
        let (values, rest) = tensor.octets.as_chunks::<4>();
        if values.len() != shape.iter().product::<usize>() || !rest.is_empty() {
            return Err(NotSilero::Tensor(name));
        }
        Ok(values.iter().map(|octets| f32::from_le_bytes(*octets)).collect())
    }

    fn convolution(
        &self,
        [weight, bias]: [&'static str; 2],
        [inputs, outputs]: [usize; 2],
    ) -> Result<Convolution, NotSilero> {
        let weight = self.tensor(weight, &[outputs, inputs, 3])?;
        let taps = [0, 1, 2].map(|tap| {
            let of_tap: Vec<f32> = weight.iter().skip(tap).step_by(3).copied().collect();
            Matrix::of_outputs(&of_tap, outputs)
        });
        Ok(Convolution { taps, bias: self.tensor(bias, &[outputs])? })
    }

    /// The file holds the Fourier transform as a matrix. It is the usual one under a Hann window,
    /// and so we may compute it fast.
    fn check_basis(&self) -> Result<(), NotSilero> {
        let basis = self.tensor(BASIS, &[2 * BINS, 1, FRAME])?;
        let window = hann();
        let differs = basis.chunks_exact(FRAME).enumerate().any(|(row, values)| {
            values.iter().zip(&window).enumerate().any(|(index, (value, weight))| {
                let turn = (row % BINS * index % FRAME) as f64 / FRAME as f64;
                let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
                let expected = if row < BINS { cos } else { -sin } * f64::from(*weight);
                (f64::from(*value) - expected).abs() > 1e-5
            })
        });
        if differs { Err(NotSilero::Basis) } else { Ok(()) }
    }
}

/// The periodic Hann window of one frame.
pub fn hann() -> [f32; FRAME] {
    std::array::from_fn(|index| {
        let turn = std::f64::consts::TAU * index as f64 / FRAME as f64;
        (0.5 - 0.5 * turn.cos()) as f32
    })
}

/// The float tensors in the `Constant` nodes of a graph.
fn tensors(graph: &[u8]) -> Result<HashMap<&str, Tensor<'_>>, NotSilero> {
    let mut tensors = HashMap::new();
    for node in Fields::of(graph).octets(GRAPH_NODE) {
        for attribute in Fields::of(node?).octets(NODE_ATTRIBUTE) {
            for tensor in Fields::of(attribute?).octets(ATTRIBUTE_TENSOR) {
                let (mut name, mut shape, mut octets, mut kind) = ("", Vec::new(), &[][..], 0);
                for field in Fields::of(tensor?) {
                    match field? {
                        (TENSOR_DIMENSION, Value::Number(size)) => {
                            shape.push(usize::try_from(size).map_err(|_| Broken)?);
                        }
                        (TENSOR_KIND, Value::Number(number)) => kind = number,
                        (TENSOR_NAME, Value::Octets(text)) => {
                            name = std::str::from_utf8(text).map_err(|_| Broken)?;
                        }
                        (TENSOR_OCTETS, Value::Octets(raw)) => octets = raw,
                        _ => {}
                    }
                }
                if kind == KIND_FLOAT && !name.is_empty() {
                    tensors.insert(name, Tensor { shape, octets });
                }
            }
        }
    }
    Ok(tensors)
}

const BASIS: &str = "stft.forward_basis_buffer";

// Field numbers of onnx.proto.
const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const NODE_ATTRIBUTE: u64 = 5;
const ATTRIBUTE_TENSOR: u64 = 5;
const ATTRIBUTE_GRAPH: u64 = 6;
const TENSOR_DIMENSION: u64 = 1;
const TENSOR_KIND: u64 = 2;
const TENSOR_NAME: u64 = 8;
const TENSOR_OCTETS: u64 = 9;
const KIND_FLOAT: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_with_a_reason() {
        assert_eq!(Weights::read(b"GGUF").map(|_| ()), Err(NotSilero::Broken));
        assert_eq!(Weights::read(&[]).map(|_| ()), Err(NotSilero::Branch));
        assert_eq!(Weights::read(&[0x08, 0x08]).map(|_| ()), Err(NotSilero::Branch));
    }
}
