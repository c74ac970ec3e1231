//! One press, one key: telephone events, tones and INFO may all tell of the same press, and it is
//! told once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::media::event::Digit;

/// By which way a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A telephone event (RFC 4733).
    Event,
    /// A tone among the voice.
    Tone,
    /// INFO, by the signalling.
    Info,
}

/// The presses of late, and by which ways they were told.
#[derive(Debug, Default)]
pub struct Presses {
    recent: VecDeque<Press>,
    /// Presses are credited until then; see `PACE`.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Press {
    digit: Digit,
    at: Instant,
    /// The ways by which it was told.
    by: [bool; 3],
}

impl Presses {
    /// Takes a key that came by a way; tells whether it is a new press. It is not when another way
    /// told of it and this one has not yet. Nor is anything believed that nobody could press so
    /// fast.
    pub fn press(&mut self, now: Instant, digit: Digit, way: Way) -> bool {
        let place = way.place();
        let is_old = |press: &Press| now.saturating_duration_since(press.at) > LATEST;
        while self.recent.front().is_some_and(is_old) || self.recent.len() > MOST {
            self.recent.pop_front();
        }
        let same = |press: &&mut Press| press.digit == digit && !press.by[place];
        if let Some(press) = self.recent.iter_mut().find(same) {
            press.by[place] = true;
            return false;
        }
        let until = self.until.map_or(now, |until| until.max(now)) + PACE;
        if until > now + PACE * BURST {
            return false;
        }
        self.until = Some(until);
        let mut by = [false; 3];
        by[place] = true;
        self.recent.push_back(Press { digit, at: now, by });
        true
    }
}

impl Way {
    fn place(self) -> usize {
        match self {
            Self::Event => 0,
            Self::Tone => 1,
            Self::Info => 2,
        }
    }
}

/// Later than this no way tells of the same press.
const LATEST: Duration = Duration::from_millis(1_500);

/// Presses that are remembered: more cannot come in that time.
const MOST: usize = 32;

/// The shortest key and its pause: 40 ms each (ITU-T Q.24).
const PACE: Duration = Duration::from_millis(80);

/// So many keys may come at once, after a stall.
const BURST: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digit(key: char) -> Digit {
        Digit::new(key).expect("a key")
    }

    /// What is told of keys that come at so many milliseconds by a way.
    fn told(keys: &[(u64, char, Way)]) -> String {
        let (begin, mut presses) = (Instant::now(), Presses::default());
        let is_told = |(at, key, way): &&(u64, char, Way)| {
            presses.press(begin + Duration::from_millis(*at), digit(*key), *way)
        };
        keys.iter().filter(is_told).map(|(_, key, _)| *key).collect()
    }

    #[test]
    fn a_press_that_comes_by_every_way_is_told_once() {
        let (event, tone, info) = (Way::Event, Way::Tone, Way::Info);
        assert_eq!(told(&[(0, '5', event), (35, '5', tone), (180, '5', info)]), "5");
        assert_eq!(told(&[(0, '5', info), (35, '5', tone), (60, '5', event)]), "5");
        assert_eq!(told(&[(0, '5', tone), (35, '5', info)]), "5");
    }

    #[test]
    fn the_same_key_again_is_another_press() {
        let (event, tone, info) = (Way::Event, Way::Tone, Way::Info);
        assert_eq!(told(&[(0, '5', event), (200, '5', event)]), "55");
        let quick = [
            (0, '5', event),
            (35, '5', tone),
            (150, '5', event),
            (185, '5', tone),
            (300, '5', info),
            (310, '5', info),
        ];
        assert_eq!(told(&quick), "55");
        assert_eq!(told(&[(0, '5', event), (2_000, '5', tone)]), "55", "too late to be the same");
        assert_eq!(told(&[(0, '5', event), (35, '6', tone)]), "56");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_the_ways_overtake_each_other_each_press_is_told_once(
            keys in prop::collection::vec((0_usize..4, 0_u64..300, 0_u64..300, 0_u64..300), 1..12),
        ) {
            let mut coming = Vec::new();
            for (number, (key, event, tone, info)) in keys.iter().enumerate() {
                let key = ['1', '2', '#', 'D'][*key];
                let begin = number as u64 * 320;
                for (delay, way) in [(event, Way::Event), (tone, Way::Tone), (info, Way::Info)] {
                    coming.push((begin + delay, key, way));
                }
            }
            coming.sort_by_key(|(at, _, _)| *at);
            let expected: String = keys.iter().map(|(key, ..)| ['1', '2', '#', 'D'][*key]).collect();
            prop_assert_eq!(told(&coming), expected);
        }
    }
}
