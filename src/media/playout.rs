//! The queue of what the agent says: utterances in order, cut into frames of a packet, and a ledger
//! of how much of each was sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::frame::Rate;
use crate::audio::mix;
use crate::base::id::UtteranceId;
use crate::media::event::{Event, Output, Played};

/// The queue of one leg.
#[derive(Debug)]
pub struct Playout {
    rate: Rate,
    /// Samples in a frame: what a packet holds.
    frame: usize,
    utterances: VecDeque<Utterance>,
    /// Samples that wait, of all utterances.
    waiting: usize,
    paused: bool,
    /// Everything up to this utterance is dropped, also what is still to come.
    flushed: Option<UtteranceId>,
    last_finished: Option<UtteranceId>,
    /// Whether the next frame must fade in, because the one before it was cut.
    fade_in: bool,
    /// The fading end of what was cut, for the silence that follows.
    tail: Vec<i16>,
    /// How loud the last frame ended and how loud the next one is to end: 1 is as it came.
    loudness: [f32; 2],
}

#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    /// What waits, oldest first; the first `taken` samples of the first chunk are gone.
    chunks: VecDeque<Vec<i16>>,
    taken: usize,
    waiting: usize,
    sent: usize,
    started: bool,
    /// Whether all of its audio came.
    complete: bool,
}

impl Playout {
    /// Makes an empty queue for samples at `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            frame: rate.samples_in(Duration::from_millis(20)),
            utterances: VecDeque::new(),
            waiting: 0,
            paused: false,
            flushed: None,
            last_finished: None,
            fade_in: false,
            tail: Vec::with_capacity(rate.samples_in(FADE)),
            loudness: [1.0; 2],
        }
    }

    /// Gives frames of this length from now on: 20 ms at the beginning.
    pub fn pace(&mut self, frame: Duration) {
        self.frame = self.rate.samples_in(frame);
    }

    /// The rate of the samples.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Appends audio of an utterance. More than a minute in all is dropped: whoever feeds looks
    /// at `queued` and is at most a second ahead.
    pub fn play(&mut self, id: UtteranceId, samples: Vec<i16>) {
        let full = self.waiting + samples.len() > self.rate.samples_in(LONGEST_QUEUE);
        if full || samples.is_empty() || self.is_over(id) {
            return;
        }
        let Some(utterance) = self.utterance(id) else { return };
        if utterance.complete {
            return;
        }
        let count = samples.len();
        utterance.waiting += count;
        utterance.chunks.push_back(samples);
        self.waiting += count;
    }

    /// Notes that no more audio of an utterance comes. One that never had any finishes silently
    /// when its turn comes.
    pub fn finish(&mut self, id: UtteranceId) {
        if self.is_over(id) {
            return;
        }
        if let Some(utterance) = self.utterance(id) {
            utterance.complete = true;
        }
    }

    /// Holds what waits. `speaking` tells whether an utterance is being heard right now.
    pub fn pause(&mut self, speaking: bool) {
        if !self.paused && speaking {
            self.cut();
        }
        self.paused = true;
    }

    /// Goes on quietly with what waits: somebody else speaks.
    pub fn duck(&mut self) {
        self.loudness[1] = DUCKED;
    }

    /// Goes on with what was held, as loud as it is.
    pub fn resume(&mut self) {
        self.paused = false;
        self.loudness[1] = 1.0;
    }

    /// Drops every utterance up to `through`, and what is still to come of them. A pause is over
    /// when nothing is left to be held. Tells what was heard of each that had started.
    pub fn flush(&mut self, through: UtteranceId, speaking: bool) -> Vec<Played> {
        let cuts = self.utterances.front().is_some_and(|first| first.id <= through);
        if speaking && cuts && !self.paused {
            self.cut();
        }
        self.flushed = self.flushed.max(Some(through));
        let rate = self.rate;
        let dropped = self.utterances.iter().filter(|utterance| utterance.id <= through);
        let heard = dropped
            .filter(|utterance| utterance.started)
            .map(|utterance| Played {
                utterance: utterance.id,
                heard: rate.duration_of(utterance.sent),
                total: utterance
                    .complete
                    .then(|| rate.duration_of(utterance.sent + utterance.waiting)),
            })
            .collect();
        self.utterances.retain(|utterance| utterance.id > through);
        self.waiting = self.utterances.iter().map(|utterance| utterance.waiting).sum();
        if self.utterances.is_empty() {
            self.paused = false;
            self.fade_in = false;
            self.loudness = [1.0; 2];
        }
        heard
    }

    /// Whether a frame can be taken: a whole one, or the last of its utterance.
    pub fn ready(&self) -> bool {
        !self.paused
            && self.utterances.front().is_some_and(|utterance| {
                utterance.waiting >= self.frame || utterance.complete && utterance.waiting > 0
            })
    }

    /// How much audio waits.
    pub fn queued(&self) -> Duration {
        self.rate.duration_of(self.waiting)
    }

    /// Takes the next frame into `frame`, which is all silence: the rest of a short one stays so.
    /// It is sent `now`.
    pub fn take(&mut self, now: Instant, frame: &mut [i16], out: &mut VecDeque<Output>) {
        let Some(utterance) = self.utterances.front_mut() else { return };
        let count = utterance.take(frame);
        self.waiting -= count;
        if !std::mem::replace(&mut utterance.started, true) {
            let utterance = utterance.id;
            out.push_back(Output::Event(Event::Started { utterance, at: now }));
        }
        // A tail that was never sent: the pause was over before a packet felt it.
        if std::mem::take(&mut self.fade_in) && self.tail.is_empty() {
            let faded = self.rate.samples_in(FADE).min(frame.len());
            mix::fade_in(&mut frame[..faded]);
        }
        self.tail.clear();
        if self.loudness != [1.0; 2] {
            mix::slide(frame, self.loudness);
            self.loudness[0] = self.loudness[1];
        }
    }

    /// Takes the fading end of what was cut into `frame`, which is all silence.
    pub fn take_tail(&mut self, frame: &mut [i16]) {
        for (sample, tail) in frame.iter_mut().zip(&self.tail) {
            *sample = *tail;
        }
        self.tail.clear();
    }

    /// Tells which utterances were sent to their end; the last packet was sent at `at`.
    pub fn settle(&mut self, at: Instant, out: &mut VecDeque<Output>) {
        while let Some(utterance) = self.utterances.front()
            && utterance.complete
            && utterance.waiting == 0
        {
            let utterance = utterance.id;
            self.utterances.pop_front();
            self.last_finished = Some(utterance);
            out.push_back(Output::Event(Event::Finished { utterance, at }));
        }
    }

    /// Cuts the utterance that is being heard: its next 5 ms fade away beneath the silence, and it
    /// will fade in from the same place.
    fn cut(&mut self) {
        self.tail.clear();
        let Some(utterance) = self.utterances.front().filter(|utterance| utterance.started) else {
            return;
        };
        let fade = self.rate.samples_in(FADE);
        self.tail.extend(utterance.samples().take(fade));
        mix::gain(&mut self.tail, self.loudness[0]);
        mix::fade_out(&mut self.tail);
        self.fade_in = true;
    }

    fn is_over(&self, id: UtteranceId) -> bool {
        Some(id) <= self.flushed || self.last_finished == Some(id)
    }

    /// Finds an utterance, or appends it if there is room.
    fn utterance(&mut self, id: UtteranceId) -> Option<&mut Utterance> {
        match self.utterances.iter().position(|utterance| utterance.id == id) {
            Some(position) => self.utterances.get_mut(position),
            None if self.utterances.len() == MAX_UTTERANCES => None,
            None => {
                self.utterances.push_back(Utterance::new(id));
                self.utterances.back_mut()
            }
        }
    }
}

impl Utterance {
    fn new(id: UtteranceId) -> Self {
        Self {
            id,
            chunks: VecDeque::new(),
            taken: 0,
            waiting: 0,
            sent: 0,
            started: false,
            complete: false,
        }
    }

    /// What waits.
    fn samples(&self) -> impl Iterator<Item = i16> {
        self.chunks.iter().flatten().skip(self.taken).copied()
    }

    /// Moves samples into `frame` and tells how many.
    fn take(&mut self, frame: &mut [i16]) -> usize {
        let mut filled = 0;
        while let Some(chunk) = self.chunks.front()
            && filled < frame.len()
        {
            let rest = &chunk[self.taken..];
            let count = rest.len().min(frame.len() - filled);
            frame[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.taken += count;
            if self.taken == chunk.len() {
                self.chunks.pop_front();
                self.taken = 0;
            }
        }
        self.waiting -= filled;
        self.sent += filled;
        filled
    }
}

/// How loud a voice is that goes on while another one speaks: 12 dB down.
const DUCKED: f32 = 0.25;

/// How long a cut fades.
const FADE: Duration = Duration::from_millis(5);

/// More audio than this never waits.
const LONGEST_QUEUE: Duration = Duration::from_secs(60);

/// More utterances than this never wait.
const MAX_UTTERANCES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: UtteranceId = UtteranceId(1);
    const TWO: UtteranceId = UtteranceId(2);
    const THREE: UtteranceId = UtteranceId(3);

    fn playout() -> Playout {
        Playout::new(Rate::NARROW)
    }

    fn take(playout: &mut Playout) -> Vec<i16> {
        let mut frame = vec![0; 160];
        playout.take(Instant::now(), &mut frame, &mut VecDeque::new());
        frame
    }

    #[test]
    fn chunks_of_any_length_become_frames_of_one_utterance() {
        let mut playout = playout();
        let spoken: Vec<i16> = (1..=400).collect();
        for chunk in spoken.chunks(70) {
            playout.play(ONE, chunk.to_vec());
        }
        playout.play(TWO, vec![9; 160]);
        assert_eq!(playout.queued(), Duration::from_millis(70));
        let mut heard = [take(&mut playout), take(&mut playout)].concat();
        assert!(!playout.ready(), "the third frame is not whole and more may come");
        playout.finish(ONE);
        assert!(playout.ready());
        heard.extend(take(&mut playout));
        assert_eq!(heard[..400], spoken);
        assert_eq!(heard[400..], [0; 80]);
        let mut out = VecDeque::new();
        playout.settle(Instant::now(), &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(take(&mut playout), [9; 160]);
    }

    #[test]
    fn a_flush_tells_what_was_heard_and_drops_what_is_to_come() {
        let mut playout = playout();
        playout.play(ONE, vec![1; 160]);
        playout.finish(ONE);
        playout.play(TWO, vec![2; 480]);
        take(&mut playout);
        playout.settle(Instant::now(), &mut VecDeque::new());
        take(&mut playout);
        let heard = playout.flush(TWO, false);
        let played = Played { utterance: TWO, heard: Duration::from_millis(20), total: None };
        assert_eq!(heard, [played]);
        playout.play(TWO, vec![2; 480]);
        playout.finish(TWO);
        playout.play(ONE, vec![2; 480]);
        assert_eq!(playout.queued(), Duration::ZERO);
        playout.play(THREE, vec![3; 160]);
        assert_eq!(take(&mut playout), [3; 160]);
    }

    #[test]
    fn a_flush_of_something_older_leaves_the_rest() {
        let mut playout = playout();
        playout.play(TWO, vec![2; 320]);
        playout.finish(TWO);
        playout.pause(false);
        assert_eq!(playout.flush(ONE, false), []);
        assert!(!playout.ready(), "still paused");
        playout.resume();
        assert!(playout.ready());
    }

    #[test]
    fn a_pause_fades_out_and_a_resume_fades_in_from_the_same_place() {
        let mut playout = playout();
        playout.play(ONE, vec![1_000; 480]);
        take(&mut playout);
        playout.pause(true);
        assert!(!playout.ready());
        let mut silence = vec![0; 160];
        playout.take_tail(&mut silence);
        assert!(silence[0] > 900 && silence[20] < 700 && silence[40..] == [0; 120]);
        playout.resume();
        let frame = take(&mut playout);
        assert!(frame[0] < 100 && frame[20] < 700 && frame[40..] == [1_000; 120]);
        assert_eq!(playout.queued(), Duration::from_millis(20));
    }

    #[test]
    fn a_duck_slides_down_within_a_frame_and_a_resume_up_again() {
        let mut playout = playout();
        playout.play(ONE, vec![1_000; 960]);
        take(&mut playout);
        playout.duck();
        let sliding = take(&mut playout);
        assert!(sliding[0] > 990 && sliding[80] < 700 && sliding[159] < 260, "{sliding:?}");
        assert!(sliding.is_sorted_by(|one, two| one >= two));
        assert_eq!(take(&mut playout), [250; 160]);
        playout.resume();
        let sliding = take(&mut playout);
        assert!(sliding[0] < 260 && sliding[159] > 990);
        assert_eq!(take(&mut playout), [1_000; 160]);
    }

    #[test]
    fn what_comes_behind_a_flush_is_not_ducked() {
        let mut playout = playout();
        playout.play(ONE, vec![1_000; 480]);
        take(&mut playout);
        playout.duck();
        take(&mut playout);
        playout.flush(ONE, true);
        playout.play(TWO, vec![1_000; 160]);
        let mut silence = vec![0; 160];
        playout.take_tail(&mut silence);
        assert!(silence[0] <= 250, "the tail is as quiet as what it ends: {}", silence[0]);
        assert_eq!(take(&mut playout), [1_000; 160]);
    }

    #[test]
    fn a_pause_that_is_over_before_the_next_frame_is_not_heard() {
        let mut playout = playout();
        playout.play(ONE, vec![1_000; 480]);
        take(&mut playout);
        playout.pause(true);
        playout.resume();
        assert_eq!(take(&mut playout), [1_000; 160]);
    }

    #[test]
    fn an_utterance_without_audio_finishes_in_its_turn() {
        let (mut playout, mut out) = (playout(), VecDeque::new());
        playout.play(ONE, vec![1; 160]);
        playout.finish(TWO);
        playout.finish(ONE);
        playout.settle(Instant::now(), &mut out);
        assert!(out.is_empty());
        take(&mut playout);
        playout.settle(Instant::now(), &mut out);
        assert_eq!(out.len(), 2);
        playout.finish(TWO);
        playout.settle(Instant::now(), &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn a_feeder_that_never_stops_is_bounded() {
        let mut playout = playout();
        for utterance in 0..10_000 {
            playout.play(UtteranceId(utterance), vec![0; 160]);
        }
        assert_eq!(playout.utterances.len(), MAX_UTTERANCES);
        for _ in 0..10_000 {
            playout.play(ONE, vec![0; 160]);
        }
        assert!(playout.queued() <= LONGEST_QUEUE);
    }
}
