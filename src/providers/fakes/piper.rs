//! A small Piper voice, written as the real ones are: a network in ONNX (Open Neural Network Exchange,
//! IR version 8, operators of version 13) and its description in JSON. Each phoneme is a tone of its
//! own pitch, so whoever hears it knows which phonemes the network was given, and for how long.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::audio::frame::Rate;

/// How the voice sounds.
#[derive(Debug, Clone)]
pub struct Script<'a> {
    /// The rate of its samples.
    pub rate: Rate,
    /// How many samples a phoneme lasts at the voice's own speed; the pad behind it lasts as long and
    /// is silent, as the marks at the beginning and the end are.
    pub length: usize,
    /// Its phonemes with their pitches in hertz.
    pub phonemes: &'a [(char, f64)],
    /// Its speakers, with how much higher each of them speaks; with fewer than two, the network takes
    /// none.
    pub speakers: &'a [(&'a str, f64)],
}

impl Default for Script<'_> {
    fn default() -> Self {
        Self { rate: Rate(22_050), length: 1_102, phonemes: &[], speakers: &[] }
    }
}

/// Writes `NAME.onnx` and `NAME.onnx.json` into a folder; gives the path of the network.
///
/// # Errors
/// When they cannot be written.
pub fn write(folder: &Path, name: &str, script: &Script<'_>) -> io::Result<PathBuf> {
    let network = folder.join(format!("{name}.onnx"));
    fs::create_dir_all(folder)?;
    fs::write(&network, model(script))?;
    fs::write(folder.join(format!("{name}.onnx.json")), description(script))?;
    Ok(network)
}

fn description(script: &Script<'_>) -> String {
    let mut numbers = serde_json::Map::new();
    let phonemes = script.phonemes.iter().map(|(phoneme, _)| *phoneme);
    for (number, phoneme) in MARKS.into_iter().chain(phonemes).enumerate() {
        numbers.insert(phoneme.to_string(), json!([number]));
    }
    let speakers = script.speakers.iter().enumerate();
    let speakers: serde_json::Map<String, serde_json::Value> =
        speakers.map(|(number, (name, _))| ((*name).to_owned(), json!(number))).collect();
    let described = json!({
        "audio": { "sample_rate": script.rate.0, "quality": "medium" },
        "espeak": { "voice": "en-us" },
        "inference": { "noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8 },
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "num_symbols": numbers.len(),
        "phoneme_id_map": numbers,
        "num_speakers": script.speakers.len().max(1),
        "speaker_id_map": speakers,
    });
    described.to_string()
}

/// The network: the pitch of each phoneme up to the length that is told, times each sample of a
/// phoneme, is the angle of a sine.
fn model(script: &Script<'_>) -> Vec<u8> {
    let hertz = MARKS.into_iter().map(|_| 0.0).chain(script.phonemes.iter().map(|(_, it)| *it));
    let angle = |hertz: f64| (hertz * std::f64::consts::TAU / f64::from(script.rate.0)) as f32;
    let pitches: Vec<f32> = hertz.map(angle).collect();
    let mut graph = Graph::default();
    graph.input("input", INT64, &[1, -1]);
    graph.input("input_lengths", INT64, &[1]);
    graph.input("scales", FLOAT, &[3]);
    graph.numbers("first", &[1], &[0]);
    graph.numbers("time", &[1], &[1]);
    graph.numbers("inside", &[1], &[2]);
    graph.numbers("length_scale", &[], &[1]);
    graph.numbers("sound", &[3], &[1, 1, -1]);
    graph.floats("pitches", &[pitches.len()], &pitches);
    graph.floats("length", &[], &[script.length as f32]);
    graph.floats("nothing", &[], &[0.0]);
    graph.floats("one", &[], &[1.0]);
    graph.floats("level", &[], &[0.3]);
    graph.node("Slice", &["input", "first", "input_lengths", "time"], "phonemes");
    graph.node("Gather", &["pitches", "phonemes"], "taught");
    let mut pitch = "taught";
    if script.speakers.len() > 1 {
        let higher: Vec<f32> = script.speakers.iter().map(|(_, higher)| *higher as f32).collect();
        graph.input("sid", INT64, &[1]);
        graph.floats("speakers", &[higher.len()], &higher);
        graph.node("Gather", &["speakers", "sid"], "speaker");
        graph.node("Mul", &["taught", "speaker"], "own");
        pitch = "own";
    }
    graph.node("Unsqueeze", &[pitch, "inside"], "column");
    graph.node("Gather", &["scales", "length_scale"], "slowness");
    graph.node("Mul", &["length", "slowness"], "lasting");
    graph.node("Range", &["nothing", "lasting", "one"], "samples");
    graph.node("Mul", &["column", "samples"], "angles");
    graph.node("Sin", &["angles"], "waves");
    graph.node("Mul", &["waves", "level"], "quieter");
    graph.node("Reshape", &["quieter", "sound"], "output");
    graph.into_model()
}

/// A graph as it is written: each list in its field of the message `GraphProto`.
#[derive(Default)]
struct Graph {
    nodes: Message,
    initializers: Message,
    inputs: Message,
}

impl Graph {
    /// Something that the graph takes; a dimension below nothing may be any.
    fn input(&mut self, name: &str, kind: u64, dimensions: &[i64]) {
        self.inputs = std::mem::take(&mut self.inputs).message(11, value(name, kind, dimensions));
    }

    fn numbers(&mut self, name: &str, dimensions: &[usize], values: &[i64]) {
        let octets = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor((name, INT64), dimensions, octets);
    }

    fn floats(&mut self, name: &str, dimensions: &[usize], values: &[f32]) {
        let octets = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor((name, FLOAT), dimensions, octets);
    }

    fn tensor(&mut self, (name, kind): (&str, u64), dimensions: &[usize], octets: Vec<u8>) {
        let sized =
            dimensions.iter().fold(Message::default(), |it, size| it.number(1, *size as u64));
        let tensor = sized.number(2, kind).text(8, name).octets(9, &octets);
        self.initializers = std::mem::take(&mut self.initializers).message(5, tensor);
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str) {
        let node = inputs.iter().fold(Message::default(), |it, input| it.text(1, input));
        let node = node.text(2, output).text(3, output).text(4, operator);
        self.nodes = std::mem::take(&mut self.nodes).message(1, node);
    }

    fn into_model(self) -> Vec<u8> {
        let output = value("output", FLOAT, &[1, 1, -1]);
        let mut graph = self.nodes.text(2, "voice");
        graph.0.extend(self.initializers.0);
        graph.0.extend(self.inputs.0);
        let operators = Message::default().text(1, "").number(2, 13);
        let model = Message::default().number(1, 8).text(2, "voxtrunk");
        model.message(7, graph.message(12, output)).message(8, operators).0
    }
}

/// A named tensor without values: `ValueInfoProto`.
fn value(name: &str, kind: u64, dimensions: &[i64]) -> Message {
    let shape = dimensions.iter().fold(Message::default(), |shape, size| {
        let dimension = match u64::try_from(*size) {
            Ok(size) => Message::default().number(1, size),
            Err(_) => Message::default().text(2, "any"),
        };
        shape.message(1, dimension)
    });
    let tensor = Message::default().number(1, kind).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// A message of protocol buffers as it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn octets(mut self, field: u64, octets: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(octets.len() as u64);
        self.0.extend_from_slice(octets);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.octets(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Self) -> Self {
        self.octets(field, &message.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The marks between which and behind which phonemes stand.
const MARKS: [char; 3] = ['_', '^', '$'];

const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The pitches of the phonemes in some samples, in order: one each time that a tone begins. A tone
/// that is away for less than 30 ms goes on.
pub fn heard(samples: &[i16], rate: Rate, pitches: &[f64]) -> Vec<f64> {
    let window = rate.0 as usize / 100;
    let (mut heard, mut last, mut away) = (Vec::new(), None, 0);
    for part in samples.chunks_exact(window) {
        let Some(now) = pitch(part, rate, pitches) else {
            away += 1;
            continue;
        };
        if last != Some(now) || away >= 3 {
            heard.push(now);
        }
        (last, away) = (Some(now), 0);
    }
    heard
}

/// The pitch that 10 ms of sound have, if they have one of these and hardly anything else.
fn pitch(part: &[i16], rate: Rate, pitches: &[f64]) -> Option<f64> {
    let energy: f64 = part.iter().map(|it| f64::from(*it).powi(2)).sum();
    let share = |pitch: f64| {
        let turn = pitch * std::f64::consts::TAU / f64::from(rate.0);
        let waves = part.iter().enumerate().map(|(at, it)| (turn * at as f64, f64::from(*it)));
        let (cosines, sines) = waves.fold((0.0, 0.0), |(cosines, sines), (angle, it)| {
            (cosines + it * angle.cos(), sines + it * angle.sin())
        });
        (cosines * cosines + sines * sines) * 2.0 / (part.len() as f64 * energy)
    };
    if energy < part.len() as f64 * QUIETEST.powi(2) {
        return None;
    }
    let found = pitches.iter().copied().max_by(|a, b| share(*a).total_cmp(&share(*b)))?;
    (share(found) > 0.8).then_some(found)
}

/// How quiet a tone may be, in the middle.
const QUIETEST: f64 = 1_000.0;
