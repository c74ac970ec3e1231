//! What the speech gate makes of a line: real samples through the real tap and Silero.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::speech::Settings;
use voxtrunk::base::random::Random;
use voxtrunk::media::event::{Event, Output};
use voxtrunk::media::tap::Tap;
use voxtrunk::providers::vad::registry::{Kind, open};

/// An edge of speech.
#[derive(Debug, Clone, Copy)]
pub enum Edge {
    Started,
    Faded,
    Returned,
    /// The last voiced sample came then, in milliseconds.
    Ended(u64),
}

/// What was heard of a line.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When each edge was told, in milliseconds.
    pub edges: Vec<(u64, Edge)>,
    /// From when to when each part sounds, in milliseconds.
    pub parts: Vec<(u64, u64)>,
    /// How long the line is, in milliseconds.
    pub lasts: u64,
}

impl Heard {
    /// The same, so much later.
    pub fn from(mut self, later: u64) -> Self {
        for (at, edge) in &mut self.edges {
            *at += later;
            if let Edge::Ended(last) = edge {
                *last += later;
            }
        }
        for (from, to) in &mut self.parts {
            (*from, *to) = (*from + later, *to + later);
        }
        Self { lasts: self.lasts + later, ..self }
    }

    /// How often speech was told.
    pub fn onsets(&self) -> usize {
        self.edges.iter().filter(|(_, edge)| matches!(edge, Edge::Started)).count()
    }

    /// When speech was first told.
    pub fn first_onset(&self) -> Option<u64> {
        self.edges.first().map(|(at, _)| *at)
    }
}

/// Hears parts with so many milliseconds between them, on a line that is never quite still.
pub fn hear(parts: &[Frame], pause: u64) -> Heard {
    let mut line = Frame::silence(Rate::NARROW, Duration::from_millis(LEAD));
    let millis = |samples: usize| samples as u64 / 8;
    let mut places = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            line.samples.extend(Frame::silence(Rate::NARROW, Duration::from_millis(pause)).samples);
        }
        let from = millis(line.samples.len());
        line.samples.extend(&part.samples);
        places.push((from, millis(line.samples.len())));
    }
    line.samples.extend(Frame::silence(Rate::NARROW, Duration::from_millis(TAIL)).samples);
    let edges = edges(&line, None, true);
    Heard { edges, parts: places, lasts: millis(line.samples.len()) }
}

/// Hears a line while the agent says something, with an echo gate or without.
pub fn hear_beside(line: &Frame, played: &Frame, gate: bool) -> Heard {
    let edges = edges(line, Some(played), gate);
    Heard { edges, parts: Vec::new(), lasts: line.samples.len() as u64 / 8 }
}

fn edges(line: &Frame, played: Option<&Frame>, echo_gate: bool) -> Vec<(u64, Edge)> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/silero_vad.onnx");
    let mut detector = open(Kind::Kernel, &model).expect("a model: run ./dev setup");
    let slot = detector.open();
    let mut tap = Tap::new(Rate::NARROW, Settings { echo_gate, ..Settings::default() });
    let mut hiss = Random::repeatable(3);
    let (start, mut out, mut edges) = (Instant::now(), VecDeque::new(), Vec::new());
    for (number, packet) in line.samples.chunks(PACKET).enumerate() {
        let since = |at: Instant| at.duration_since(start).as_millis() as u64;
        let now = start + Duration::from_millis(20 * (number as u64 + 1));
        let silence = [0; PACKET];
        let ours = played.and_then(|it| it.samples.chunks(PACKET).nth(number)).unwrap_or(&silence);
        tap.play(ours, Rate::NARROW);
        let noisy: Vec<i16> = packet
            .iter()
            .map(|sample| sample.saturating_add((hiss.unit() * 16.0 - 8.0) as i16))
            .collect();
        tap.push(&noisy, now, &mut out);
        while let Some(output) = out.pop_front() {
            let Output::Window(window) = output else { continue };
            let mut probabilities = Vec::new();
            detector.detect(&[(slot, &window)], &mut probabilities);
            edges.extend(match tap.hear(probabilities[0]) {
                Some(Event::SpeechStarted { .. }) => Some((since(now), Edge::Started)),
                Some(Event::SpeechFaded) => Some((since(now), Edge::Faded)),
                Some(Event::SpeechReturned) => Some((since(now), Edge::Returned)),
                Some(Event::SpeechEnded { last_voiced }) => {
                    Some((since(now), Edge::Ended(since(last_voiced))))
                }
                _ => None,
            });
        }
    }
    edges
}

/// Silence before the first part, in milliseconds.
const LEAD: u64 = 400;

/// Silence behind the last one.
const TAIL: u64 = 3_000;

/// 20 ms.
const PACKET: usize = 160;
