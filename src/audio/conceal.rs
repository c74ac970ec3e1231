//! Concealment of lost packets: the last pitch period goes on and fades, in the manner of ITU-T
//! G.711 Appendix I, but without its 3.75 ms of delay.

use std::time::Duration;

use crate::audio::frame::Rate;
use crate::audio::pitch;

/// Fills the gaps of one stream.
#[derive(Debug, Clone)]
pub struct Concealer {
    rate: Rate,
    /// The last samples that were heard, the newest at the end.
    history: Vec<i16>,
    /// What was made up since, to become history.
    made: Vec<i16>,
    loss: Option<Loss>,
}

/// A loss that goes on.
#[derive(Debug, Clone, Copy)]
struct Loss {
    /// How many samples were made up.
    made: usize,
    /// The length of a pitch period in samples.
    pitch: usize,
    /// How many periods are repeated: one, then two, then three, so that it does not buzz.
    cycles: usize,
    /// Where in them we are.
    cursor: usize,
    /// The difference between the last sample and the one a period before it.
    jump: f32,
}

impl Concealer {
    /// Makes a concealer for a stream of 8 kHz or more.
    pub fn new(rate: Rate) -> Self {
        let rate = Rate(rate.0.clamp(8_000, 192_000));
        let length = 3 * rate.samples_in(LONGEST_PITCH) + rate.samples_in(LONGEST_PITCH) / 4;
        let made = Vec::with_capacity(length + rate.samples_in(FADED));
        Self { rate, history: vec![0; length], made, loss: None }
    }

    /// Takes samples that arrived. After a loss their beginning is blended with what was made up.
    pub fn good(&mut self, samples: &mut [i16]) {
        if let Some(loss) = self.loss {
            let length = (loss.pitch / 4 + loss.made * 2 / 5).min(self.rate.samples_in(BLOCK));
            let length = length.min(samples.len());
            for (index, sample) in samples[..length].iter_mut().enumerate() {
                let weight = (index + 1) as f32 / (length + 1) as f32;
                let made = self.next();
                *sample = (made + (f32::from(*sample) - made) * weight).round() as i16;
            }
            self.loss = None;
            let made = std::mem::take(&mut self.made);
            self.remember(&made);
            self.made = made;
            self.made.clear();
        }
        self.remember(samples);
    }

    /// Appends `count` samples for what did not arrive. They fall to silence within 60 ms.
    pub fn lost(&mut self, count: usize, out: &mut Vec<i16>) {
        if self.loss.is_none() {
            let pitch = self.pitch();
            let jump = self.back(1) - self.back(1 + pitch);
            self.loss = Some(Loss { made: 0, pitch, cycles: 1, cursor: 0, jump });
        }
        for _ in 0..count {
            let sample = self.next().round() as i16;
            out.push(sample);
            if self.made.len() < self.made.capacity() {
                self.made.push(sample);
            }
        }
    }

    /// Makes up one sample.
    fn next(&mut self) -> f32 {
        let Some(mut loss) = self.loss else { return 0.0 };
        let (block, faded) = (self.rate.samples_in(BLOCK), self.rate.samples_in(FADED));
        if loss.made >= faded {
            return 0.0;
        }
        let quarter = loss.pitch / 4;
        if loss.made == block || loss.made == 2 * block {
            // The same place in the pitch, a period further back.
            loss.cursor %= loss.pitch;
            loss.cycles += 1;
        }
        let mut value = self.period(loss);
        let since_block = loss.made % block;
        if loss.cycles > 1 && loss.made < 3 * block && since_block < quarter {
            let before = Loss { cycles: loss.cycles - 1, ..loss };
            let before = self.period(before);
            value = before + (value - before) * (since_block + 1) as f32 / (quarter + 1) as f32;
        }
        if loss.made < quarter {
            value += loss.jump * (quarter - loss.made) as f32 / (quarter + 1) as f32;
        }
        let over = loss.made.saturating_sub(block) as f32;
        value *= 1.0 - over / (faded - block) as f32;
        loss.cursor = (loss.cursor + 1) % (loss.cycles * loss.pitch);
        loss.made += 1;
        self.loss = Some(loss);
        value
    }

    /// Reads the repeated periods; their last quarter flows into what stood before the first.
    fn period(&self, loss: Loss) -> f32 {
        let length = loss.cycles * loss.pitch;
        let left = length - loss.cursor % length;
        let value = self.back(left);
        let quarter = loss.pitch / 4;
        if left > quarter {
            return value;
        }
        let weight = (quarter + 1 - left) as f32 / (quarter + 1) as f32;
        value + (self.back(length + left) - value) * weight
    }

    /// The sample that was heard `distance` samples ago; 1 is the last.
    fn back(&self, distance: usize) -> f32 {
        let index = self.history.len().checked_sub(distance);
        index.and_then(|index| self.history.get(index)).map_or(0.0, |it| f32::from(*it))
    }

    /// Finds the lag at which the last 20 ms are most like what was before.
    fn pitch(&self) -> usize {
        let begin = self.history.len() - self.rate.samples_in(2 * BLOCK);
        let (before, recent) = self.history.split_at(begin);
        let lags = pitch::lags(self.rate);
        let like = |lag: usize, stride| {
            let back = before.len() - lag;
            pitch::likeness(recent, &self.history[back..back + recent.len()], stride)
        };
        pitch::best(self.rate, &lags, like).0
    }

    fn remember(&mut self, samples: &[i16]) {
        let samples = &samples[samples.len().saturating_sub(self.history.len())..];
        self.history.copy_within(samples.len().., 0);
        let kept = self.history.len() - samples.len();
        self.history[kept..].copy_from_slice(samples);
    }
}

/// 66 Hz: no period that is looked for is longer.
const LONGEST_PITCH: Duration = Duration::from_millis(15);
/// The steps in which concealment changes; the first one is at full strength.
const BLOCK: Duration = Duration::from_millis(10);
/// From here on there is silence.
const FADED: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;

    const FRAME: usize = 160;

    /// Half a second of a tone with every `gap`th frame lost and made up.
    fn concealed(hertz: [f32; 2], gap: usize) -> (Vec<i16>, Vec<i16>) {
        let clean = Tone::dual(Rate::NARROW, hertz).play(Duration::from_millis(500));
        let mut concealer = Concealer::new(Rate::NARROW);
        let mut heard = Vec::new();
        for (index, frame) in clean.chunks(FRAME).enumerate() {
            if index % gap == gap - 1 {
                concealer.lost(FRAME, &mut heard);
            } else {
                let mut frame = frame.to_vec();
                concealer.good(&mut frame);
                heard.extend(frame);
            }
        }
        (clean, heard)
    }

    fn power(samples: &[i16]) -> f64 {
        samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len() as f64
    }

    fn steepest(samples: &[i16]) -> i32 {
        let steps = samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
        steps.max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_of_a_voiced_sound_is_hardly_missed() {
        let (clean, heard) = concealed([150.0, 450.0], 5);
        let error: Vec<i16> = clean.iter().zip(&heard).map(|(a, b)| a.saturating_sub(*b)).collect();
        let ratio = 10.0 * (power(&clean) / power(&error)).log10();
        assert!(ratio > 15.0, "{ratio} dB");
    }

    #[test]
    fn no_seam_is_steeper_than_the_sound_itself() {
        for hertz in [[100.0, 300.0], [133.0, 610.0], [190.0, 950.0], [317.0, 401.0]] {
            let (clean, heard) = concealed(hertz, 4);
            let (was, is) = (steepest(&clean), steepest(&heard));
            assert!(is < was * 3 / 2, "{hertz:?}: {is} against {was}");
        }
    }

    #[test]
    fn a_long_loss_falls_silent_within_sixty_milliseconds_and_speech_returns_softly() {
        let mut tone = Tone::sine(Rate::NARROW, 200.0);
        let mut concealer = Concealer::new(Rate::NARROW);
        concealer.good(&mut tone.play(Duration::from_millis(200)));
        let mut made = Vec::new();
        for _ in 0..10 {
            concealer.lost(FRAME, &mut made);
        }
        assert!(power(&made[..80]) > power(&made[160..240]), "it fades");
        assert!(made[480..].iter().all(|sample| *sample == 0));
        let mut back = tone.play(Duration::from_millis(20));
        let clean = back.clone();
        concealer.good(&mut back);
        assert!(power(&back[..20]) < power(&clean[..20]) / 4.0, "it rises");
        assert_eq!(back[80..], clean[80..]);
    }

    #[test]
    fn a_loss_before_anything_was_heard_is_silence() {
        let mut out = Vec::new();
        Concealer::new(Rate::WIDE).lost(1_000, &mut out);
        assert_eq!(out, [0; 1_000]);
    }

    #[test]
    fn without_loss_nothing_is_touched() {
        let clean = Tone::sine(Rate::WIDE, 400.0).play(Duration::from_millis(100));
        let mut frame = clean.clone();
        Concealer::new(Rate::WIDE).good(&mut frame);
        assert_eq!(frame, clean);
    }
}
