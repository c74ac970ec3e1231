//! The sound of one answer, on its way from the model to the caller: which of it belongs to which
//! clause, and how far it was heard.
//!
//! A model speaks an answer in one piece, and the session hears it clause by clause. Where a clause
//! ends is known only by its share of the letters: that moves no sample, it only says under which
//! clause a sample counts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use tokio::sync::Notify;

use crate::agent::conversation::pace;
use crate::agent::event::{Portion, UtteranceId};
use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;

/// The sound of one answer.
#[derive(Debug, Default)]
pub(super) struct Track {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    rate: Option<Rate>,
    /// What nobody took yet.
    ready: VecDeque<i16>,
    /// How many samples came, and how many of them were taken.
    came: usize,
    taken: usize,
    /// How many letters and digits the answer has so far.
    letters: usize,
    /// How many of them stand in clauses.
    given: usize,
    end: End,
    spans: Vec<Span>,
}

/// How the sound ends.
#[derive(Debug, Default)]
enum End {
    /// More may come.
    #[default]
    Open,
    /// It is complete.
    Whole,
    /// It broke off.
    Broken(ProviderError),
    /// Nobody wants it.
    Void,
}

/// A clause.
#[derive(Debug)]
struct Span {
    utterance: UtteranceId,
    /// Its first sample, and the one behind its last.
    from: usize,
    to: usize,
    /// The letter behind its last.
    letters: usize,
}

/// What came of asking for more.
enum Taken {
    Frame(Frame),
    End,
    Failure(ProviderError),
    Nothing,
}

impl Track {
    /// More sound.
    ///
    /// # Errors
    /// When far more waits than an answer should have.
    pub fn push(&self, rate: Rate, samples: &[i16]) -> Result<(), TooLong> {
        let mut state = self.state();
        if state.ready.len() + samples.len() > rate.samples_in(LONGEST) {
            return Err(TooLong);
        }
        state.rate = Some(rate);
        state.came += samples.len();
        state.ready.extend(samples);
        drop(state);
        self.moved.notify_waiters();
        Ok(())
    }

    /// More words.
    pub fn words(&self, text: &str) {
        self.state().letters += letters(text);
        self.moved.notify_waiters();
    }

    /// The answer is complete.
    pub fn close(&self) {
        self.end(End::Whole);
    }

    /// The answer broke off.
    pub fn fail(&self, why: ProviderError) {
        self.end(End::Broken(why));
    }

    /// Nobody wants the answer: no other clause begins.
    pub fn void(&self) {
        self.end(End::Void);
    }

    /// How many samples were taken.
    pub fn taken(&self) -> usize {
        self.state().taken
    }

    /// How many samples came.
    pub fn came(&self) -> usize {
        self.state().came
    }

    /// How many samples were heard when its clauses were cut like this.
    pub fn heard(&self, portions: &[Portion]) -> usize {
        let state = self.state();
        let rate = state.rate.unwrap_or(Rate::NARROW);
        let mut place: Option<usize> = None;
        for portion in portions {
            let span = state.spans.iter().find(|span| span.utterance == portion.utterance);
            let Some(span) = span else { continue };
            let heard = span.from + rate.samples_in(portion.heard).min(span.to - span.from);
            place = match place {
                Some(place) if portion.heard.is_zero() => Some(place),
                Some(place) => Some(place.max(heard)),
                None => Some(heard),
            };
        }
        place.unwrap_or(state.taken)
    }

    /// The sound of its next clause; `None` when there is none to come.
    pub fn clause(
        self: &Arc<Self>,
        utterance: UtteranceId,
        text: &str,
    ) -> Option<BoxStream<'static, Result<Frame, ProviderError>>> {
        let mut state = self.state();
        let is_mute = match state.end {
            End::Open => false,
            End::Whole => state.came == 0,
            End::Broken(_) | End::Void => state.ready.is_empty(),
        };
        if is_mute {
            return None;
        }
        state.given += letters(text);
        let (letters, from) = (state.given, state.taken);
        drop(state);
        Some(self.stream(Span { utterance, from, to: from, letters }))
    }

    /// All of its sound.
    pub fn whole(self: &Arc<Self>) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let utterance = UtteranceId::default();
        self.stream(Span { utterance, from: 0, to: 0, letters: usize::MAX })
    }

    fn stream(self: &Arc<Self>, span: Span) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let mut state = self.state();
        if state.spans.len() >= MOST_CLAUSES {
            state.spans.remove(0);
        }
        let utterance = span.utterance;
        state.spans.push(span);
        drop(state);
        Box::pin(stream::unfold(Some(self.clone()), move |track| async move {
            let track = track?;
            match track.next(utterance).await {
                Ok(frame) => frame.map(|frame| (Ok(frame), Some(track))),
                Err(why) => Some((Err(why), None)),
            }
        }))
    }

    async fn next(&self, utterance: UtteranceId) -> Result<Option<Frame>, ProviderError> {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // What moves from now on is not missed.
            moved.as_mut().enable();
            match self.state().take(utterance) {
                Taken::Frame(frame) => return Ok(Some(frame)),
                Taken::End => return Ok(None),
                Taken::Failure(why) => return Err(why),
                Taken::Nothing => {}
            }
            moved.await;
        }
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        if matches!(state.end, End::Open) {
            state.end = end;
        }
        drop(state);
        self.moved.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, utterance: UtteranceId) -> Taken {
        let Some(at) = self.spans.iter().rposition(|span| span.utterance == utterance) else {
            return Taken::End;
        };
        let letters = self.spans[at].letters;
        let rate = self.rate.unwrap_or(Rate::NARROW);
        let most = self.end_of(letters, rate).map_or(usize::MAX, |end| end.max(self.taken));
        let count = self.ready.len().min(most - self.taken).min(rate.samples_in(PIECE));
        if count > 0 {
            let samples = self.ready.drain(..count).collect();
            self.taken += count;
            self.spans[at].to = self.taken;
            return Taken::Frame(Frame::new(rate, samples));
        }
        if most == self.taken {
            return Taken::End;
        }
        match &self.end {
            End::Open => Taken::Nothing,
            End::Whole | End::Void => Taken::End,
            End::Broken(why) => Taken::Failure(why.clone()),
        }
    }

    /// The sample behind the last of a clause; `None` while it is the last that is known of.
    fn end_of(&self, letters: usize, rate: Rate) -> Option<usize> {
        if letters >= self.letters {
            return None;
        }
        Some(match self.end {
            // The cast back is exact: samples are far below 2^52.
            End::Whole => (self.came as f64 * letters as f64 / self.letters as f64) as usize,
            End::Open | End::Broken(_) | End::Void => {
                rate.samples_in(pace("x").mul_f64(letters as f64 * SPACES))
            }
        })
    }
}

/// More sound than an answer should have.
#[derive(Debug)]
pub(super) struct TooLong;

fn letters(text: &str) -> usize {
    text.chars().filter(|letter| letter.is_alphanumeric()).count()
}

/// How much sound may wait to be heard.
const LONGEST: Duration = Duration::from_secs(240);

/// The frames that are given out.
const PIECE: Duration = Duration::from_millis(100);

/// How many clauses are remembered.
const MOST_CLAUSES: usize = 256;

/// How many characters there are to a letter: spaces and marks take time, too.
const SPACES: f64 = 1.2;

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn samples(mut clause: BoxStream<'static, Result<Frame, ProviderError>>) -> usize {
        let mut count = 0;
        while let Some(frame) = clause.next().await {
            count += frame.unwrap().samples.len();
        }
        count
    }

    fn portion(utterance: u64, heard: u64) -> Portion {
        let (heard, words) = (Duration::from_millis(heard), String::new());
        Portion { utterance: UtteranceId(utterance), thought: None, heard, words }
    }

    #[tokio::test]
    async fn clauses_share_the_sound_by_their_letters_and_none_is_lost() {
        let track = Arc::new(Track::default());
        track.words("Yes. We are open.");
        track.push(Rate::NARROW, &[1; 13_000]).unwrap();
        track.close();
        let first = samples(track.clause(UtteranceId(1), "Yes.").unwrap()).await;
        let second = samples(track.clause(UtteranceId(2), "We are open.").unwrap()).await;
        assert_eq!((first, second), (3_250, 9_750));
        assert_eq!(track.heard(&[portion(1, 100), portion(2, 0)]), 800);
        assert_eq!(track.heard(&[portion(2, 500)]), 3_250 + 4_000);
        assert_eq!(track.heard(&[portion(2, 9_000)]), 13_000, "never more than there is");
        assert_eq!(track.heard(&[portion(7, 10)]), 13_000);
    }

    #[tokio::test]
    async fn a_clause_goes_on_until_another_is_known_of() {
        let track = Arc::new(Track::default());
        track.words("Yes.");
        track.push(Rate::NARROW, &[1; 40_000]).unwrap();
        let mut clause = track.clause(UtteranceId(1), "Yes.").unwrap();
        let mut count = 0;
        for _ in 0..20 {
            count += clause.next().await.unwrap().unwrap().samples.len();
        }
        track.words(" We are open.");
        assert!(clause.next().await.is_none(), "it had far more than its share");
        assert_eq!(count, 16_000);
        track.fail(ProviderError::passing("x", "gone"));
        let mut clause = track.clause(UtteranceId(2), "We are open.").unwrap();
        let mut last = None;
        while let Some(frame) = clause.next().await {
            last = Some(frame.is_err());
        }
        assert_eq!(last, Some(true), "what came is heard, and then it fails");
        assert!(track.clause(UtteranceId(3), "More.").is_none());
    }

    #[test]
    fn an_answer_without_end_is_bounded() {
        let track = Track::default();
        let second = vec![0; 8_000];
        let pushed = (0..1_000).take_while(|_| track.push(Rate::NARROW, &second).is_ok()).count();
        assert_eq!(pushed, 240);
    }
}
