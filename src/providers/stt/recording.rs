//! The caller's turn as sound, the claim on its text, and a call that is heard with both: what
//! transcribers share that decode a whole utterance at each pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::providers::transcriber::{Heard, Listening};
use crate::providers::workers::{Job, Workers};

/// A call whose turns workers decode, each as a job `W`.
pub(super) struct Call<W> {
    recording: Recording,
    workers: Arc<Workers<W>>,
    job: Box<dyn Fn(Vec<i16>, Claim) -> W + Send>,
}

impl<W> Call<W> {
    /// Makes a call; `job` is the work for the sound of a turn and the claim on its text.
    pub fn new(
        recording: Recording,
        workers: Arc<Workers<W>>,
        job: impl Fn(Vec<i16>, Claim) -> W + Send + 'static,
    ) -> Self {
        Self { recording, workers, job: Box::new(job) }
    }
}

impl<W: Job> Listening for Call<W> {
    fn begin(&mut self) {
        self.recording.begin();
    }

    fn hear(&mut self, frame: &Frame) {
        self.recording.hear(frame);
    }

    fn finalize(&mut self, pause: PauseId) {
        // A claim voids the one before, so a call has at most one job that is ever begun: that is
        // what makes the queue fair.
        let (samples, claim) = self.recording.claim(pause);
        // A job without a place in the queue takes its claim with it, which says so.
        drop(self.workers.push((self.job)(samples, claim)));
    }

    fn forget(&mut self) {
        self.recording.forget();
    }
}

/// The sound of one call's present turn, at 16 kHz. When a turn grows too long, its beginning is
/// lost.
pub(super) struct Recording {
    samples: Vec<i16>,
    longest: usize,
    claims: Arc<AtomicU64>,
    heard: mpsc::Sender<Heard>,
}

/// How much is cut off a turn that grew too long: seldom, so that the cutting costs nothing.
const CUT: Duration = Duration::from_secs(2);

impl Recording {
    /// Makes one that keeps `longest` of a turn and sends its texts to `heard`.
    pub fn new(longest: Duration, heard: mpsc::Sender<Heard>) -> Self {
        let longest = Rate::WIDE.samples_in(longest.max(CUT));
        Self { samples: Vec::new(), longest, claims: Arc::default(), heard }
    }

    /// A turn begins.
    pub fn begin(&mut self) {
        self.forget();
    }

    /// Keeps a frame.
    pub fn hear(&mut self, frame: &Frame) {
        debug_assert_eq!(frame.rate, Rate::WIDE, "a transcriber hears 16 kHz");
        self.samples.extend_from_slice(&frame.samples);
        if self.samples.len() > self.longest {
            let kept = self.longest - Rate::WIDE.samples_in(CUT);
            self.samples.drain(..self.samples.len() - kept);
        }
    }

    /// Gives the sound so far and the claim on its text. Claims made before are void: this one
    /// covers what they cover.
    pub fn claim(&mut self, pause: PauseId) -> (Vec<i16>, Claim) {
        let number = self.void();
        let claim = Claim {
            number,
            claims: self.claims.clone(),
            pause,
            place: self.heard.clone().try_reserve_owned().ok(),
            heard: self.heard.clone(),
            answered: false,
        };
        (self.samples.clone(), claim)
    }

    /// Drops the sound and voids the claims.
    pub fn forget(&mut self) {
        self.void();
        self.samples = Vec::new();
    }

    /// Voids the claims made so far; gives the number of the next.
    fn void(&self) -> u64 {
        self.claims.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.void();
    }
}

/// The right to answer one pause with one text. One that is dropped has failed, whatever became
/// of the worker that held it.
pub(super) struct Claim {
    number: u64,
    claims: Arc<AtomicU64>,
    pause: PauseId,
    /// A place in the channel, taken beforehand: a worker never waits for a call.
    place: Option<mpsc::OwnedPermit<Heard>>,
    heard: mpsc::Sender<Heard>,
    answered: bool,
}

impl Claim {
    /// Whether the answer is still wanted.
    pub fn holds(&self) -> bool {
        self.claims.load(Ordering::Acquire) == self.number && !self.heard.is_closed()
    }

    /// Answers, unless the answer is no longer wanted.
    pub fn answer(mut self, transcript: Transcript) {
        self.tell(transcript);
    }

    fn tell(&mut self, transcript: Transcript) {
        if std::mem::replace(&mut self.answered, true) || !self.holds() {
            return;
        }
        let heard = Heard { pause: self.pause, transcript };
        if let Some(place) = self.place.take() {
            place.send(heard);
        } else if self.heard.try_send(heard).is_err() {
            // The call reads nothing any more; its supervisor ends it.
            tracing::warn!("a transcript was lost: the call does not take what it heard");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.tell(Transcript::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sample: i16) -> Frame {
        Frame::new(Rate::WIDE, vec![sample; 320])
    }

    fn text(words: &str) -> Transcript {
        Transcript::Final { text: words.to_owned(), confidence: None, complete: true }
    }

    fn recording(places: usize) -> (Recording, mpsc::Receiver<Heard>) {
        let (sender, heard) = mpsc::channel(places);
        (Recording::new(Duration::from_secs(4), sender), heard)
    }

    #[test]
    fn each_pause_covers_everything_since_the_beginning() {
        let (mut recording, _heard) = recording(4);
        recording.begin();
        recording.hear(&frame(1));
        assert_eq!(recording.claim(PauseId(1)).0.len(), 320);
        recording.hear(&frame(2));
        assert_eq!(recording.claim(PauseId(2)).0.len(), 640);
        recording.begin();
        assert!(recording.claim(PauseId(3)).0.is_empty());
    }

    #[test]
    fn only_the_newest_claim_is_answered() {
        let (mut recording, mut heard) = recording(4);
        let (_, first) = recording.claim(PauseId(1));
        let (_, second) = recording.claim(PauseId(2));
        assert!(!first.holds());
        first.answer(text("one"));
        second.answer(text("two"));
        assert_eq!(heard.try_recv().map(|heard| heard.pause), Ok(PauseId(2)));
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn nothing_is_answered_after_the_turn_was_forgotten_or_the_call_ended() {
        let (mut recording, mut heard) = recording(4);
        let (_, claim) = recording.claim(PauseId(1));
        recording.forget();
        claim.answer(text("late"));
        assert!(heard.try_recv().is_err());

        let (_, claim) = recording.claim(PauseId(2));
        drop(recording);
        assert!(!claim.holds());
    }

    #[test]
    fn a_claim_that_is_dropped_has_failed() {
        let (mut recording, mut heard) = recording(4);
        drop(recording.claim(PauseId(1)));
        let failed = Heard { pause: PauseId(1), transcript: Transcript::Failed };
        assert_eq!(heard.try_recv(), Ok(failed));
        let (_, claim) = recording.claim(PauseId(2));
        recording.forget();
        drop(claim);
        assert!(heard.try_recv().is_err(), "nobody waits for it");
    }

    #[test]
    fn an_answer_has_its_place_before_it_is_known() {
        let (mut recording, mut heard) = recording(1);
        let (_, claim) = recording.claim(PauseId(1));
        let partial = Transcript::Partial { text: "o".to_owned() };
        let partial = Heard { pause: PauseId(0), transcript: partial };
        assert!(recording.heard.try_send(partial).is_err(), "the place is taken");
        claim.answer(text("one"));
        assert_eq!(heard.try_recv().map(|heard| heard.transcript), Ok(text("one")));
    }

    #[test]
    fn an_endless_turn_keeps_its_newest_seconds() {
        let (mut recording, _heard) = recording(4);
        (0..1_000).for_each(|count| recording.hear(&frame(count)));
        let (samples, _) = recording.claim(PauseId(1));
        assert!(samples.len() <= Rate::WIDE.samples_in(Duration::from_secs(4)));
        assert!(samples.len() >= Rate::WIDE.samples_in(Duration::from_secs(2)));
        assert_eq!(samples.last(), Some(&999));
    }
}
