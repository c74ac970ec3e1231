//! Where the media thread puts what is said at a port for somebody who listens. It never waits for
//! that one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::audio::frame::Frame;

/// Takes what both sides say, on one time line.
#[derive(Debug)]
pub struct Tap {
    sides: mpsc::Sender<(Frame, Frame)>,
    lost: Arc<AtomicU64>,
}

impl Tap {
    /// Makes one, with the end at which it is heard, and the count of packets that were lost.
    pub fn new() -> (Self, mpsc::Receiver<(Frame, Frame)>, Arc<AtomicU64>) {
        let (sides, heard) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        (Self { sides, lost: lost.clone() }, heard, lost)
    }

    /// Gives what the caller said and what it heard; false when that is lost.
    pub fn give(&self, caller: Frame, ours: Frame) -> bool {
        let is_taken = self.sides.try_send((caller, ours)).is_ok();
        if !is_taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }
}

/// How many packets may wait for a listener: five seconds of usual ones.
const WAITING: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::frame::Rate;

    #[test]
    fn what_a_slow_listener_does_not_take_is_lost_and_counted() {
        let (tap, mut heard, lost) = Tap::new();
        let frame = || Frame::new(Rate::NARROW, vec![7; 160]);
        let taken = (0..WAITING + 40).filter(|_| tap.give(frame(), frame())).count();
        assert_eq!((taken, lost.load(Ordering::Relaxed)), (WAITING, 40));
        heard.try_recv().expect("a packet");
        assert!(tap.give(frame(), frame()), "there is room again");
        drop(heard);
        assert!(!tap.give(frame(), frame()), "nobody listens any more");
    }
}
