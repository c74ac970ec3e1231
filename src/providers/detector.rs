//! The seam of speech detection: probabilities for the windows of many calls in one batch.

use crate::media::event::WINDOW;

/// Hears whether somebody speaks. One detector serves all calls of a media thread; each call has
/// a slot that holds what the detector remembers of it.
pub trait Detector: Send {
    /// Gives a fresh slot.
    fn open(&mut self) -> Slot;

    /// Takes a slot back; its memory is wiped.
    fn close(&mut self, slot: Slot);

    /// Gives the speech probability of each window, in order. A slot appears at most once in a
    /// batch. Never blocks, and allocates nothing once it is warm.
    fn detect(&mut self, batch: &[(Slot, &[f32; WINDOW])], probabilities: &mut Vec<f32>);
}

/// A call's place in a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);
