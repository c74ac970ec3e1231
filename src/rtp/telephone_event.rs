//! Telephone events (RFC 4733): each press of a key told once, and keys to be sent.

use std::collections::VecDeque;
use std::time::Duration;

/// Gives the code of a key (RFC 4733 3.2), if it is one of `0-9 * # A-D`.
pub fn code(key: char) -> Option<u8> {
    let position = KEYS.iter().position(|known| *known == key.to_ascii_uppercase())?;
    u8::try_from(position).ok()
}

/// Hears keys. An event is known by its timestamp, so that a lost start or a repeated end changes
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    last: Option<Heard>,
}

impl Receiver {
    /// Takes the payload of a packet with its timestamp; gives the key if the event is new.
    pub fn handle(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let (&[event, _, high, low], _) = payload.split_first_chunk::<4>()?;
        let heard = Heard { timestamp, event, duration: u16::from_be_bytes([high, low]) };
        let new = match &mut self.last {
            None => true,
            Some(last) => {
                let advance = heard.timestamp.wrapping_sub(last.timestamp);
                if advance == 0 {
                    last.duration = last.duration.max(heard.duration);
                    return None;
                }
                if advance > u32::MAX / 2 {
                    // A late packet of an event before the last one.
                    return None;
                }
                // An event longer than the field goes on as a segment that begins where the last
                // one ended (RFC 4733 2.5.1.3).
                let longest = u32::from(u16::MAX);
                !(last.event == event && last.duration == u16::MAX && advance == longest)
            }
        };
        self.last = Some(heard);
        if new { KEYS.get(usize::from(event)).copied() } else { None }
    }

    /// Forgets the last event: another source speaks, or its clock restarted.
    pub fn restart(&mut self) {
        self.last = None;
    }
}

/// What stands in a slot while keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Nothing is to be dialled.
    Idle,
    /// A packet of an event.
    Event {
        /// Whether it is the first of its event.
        marker: bool,
        /// When the event began.
        timestamp: u32,
        /// The payload.
        payload: [u8; 4],
    },
    /// The pause after a key.
    Rest,
}

/// Sends keys, slot by slot: 160 ms of tone, the last packet three times, 60 ms of pause.
#[derive(Debug, Clone)]
pub struct Sender {
    waiting: VecDeque<u8>,
    current: Option<Tone>,
    rest: u8,
    /// How many slots a tone lasts, and the pause after it.
    tone_slots: u8,
    rest_slots: u8,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            current: None,
            rest: 0,
            tone_slots: TONE_SLOTS,
            rest_slots: REST_SLOTS,
        }
    }
}

impl Sender {
    /// Sends by slots of this length from now on: 20 ms at the beginning. A key at work goes on.
    pub fn pace(&mut self, slot: Duration) {
        let slots = |of_20_ms: u8| {
            let millis = u128::from(of_20_ms) * 20;
            u8::try_from(millis.div_ceil(slot.as_millis().max(1))).unwrap_or(u8::MAX)
        };
        (self.tone_slots, self.rest_slots) = (slots(TONE_SLOTS), slots(REST_SLOTS));
    }

    /// Appends a key by its code; more than 64 waiting are refused with false.
    pub fn push(&mut self, code: u8) -> bool {
        let room = self.waiting.len() < MAX_WAITING;
        if room {
            self.waiting.push_back(code);
        }
        room
    }

    /// Whether a key or its pause is still to be sent.
    pub fn busy(&self) -> bool {
        self.current.is_some() || self.rest > 0 || !self.waiting.is_empty()
    }

    /// Drops what waits; the key at work is ended.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Gives the content of the slot that begins at `timestamp` and lasts `ticks`.
    pub fn slot(&mut self, timestamp: u32, ticks: u16) -> Slot {
        if self.rest > 0 {
            self.rest -= 1;
            return Slot::Rest;
        }
        if self.current.is_none() {
            let Some(event) = self.waiting.pop_front() else { return Slot::Idle };
            self.current = Some(Tone { event, timestamp, sent: 0 });
        }
        let Some(tone) = &mut self.current else { return Slot::Idle };
        let marker = tone.sent == 0;
        tone.sent += 1;
        // The end is sent three times, because no later packet repeats it (RFC 4733 2.5.1.4).
        let ended = tone.sent >= self.tone_slots;
        let duration = ticks.saturating_mul(u16::from(tone.sent.min(self.tone_slots)));
        let [high, low] = duration.to_be_bytes();
        let flags = u8::from(ended) << 7 | VOLUME;
        let slot = Slot::Event {
            marker,
            timestamp: tone.timestamp,
            payload: [tone.event, flags, high, low],
        };
        if tone.sent >= self.tone_slots + END_REPEATS {
            self.current = None;
            self.rest = self.rest_slots;
        }
        slot
    }
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    timestamp: u32,
    event: u8,
    duration: u16,
}

#[derive(Debug, Clone, Copy)]
struct Tone {
    event: u8,
    timestamp: u32,
    sent: u8,
}

const KEYS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
const MAX_WAITING: usize = 64;
/// In slots of 20 ms.
const TONE_SLOTS: u8 = 8;
const END_REPEATS: u8 = 2;
const REST_SLOTS: u8 = 3;
/// The level: -10 dBm0.
const VOLUME: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(event: u8, ended: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, u8::from(ended) << 7 | 10, high, low]
    }

    #[test]
    fn a_press_is_told_once() {
        let mut receiver = Receiver::default();
        let heard: String = (1..=8)
            .filter_map(|packet| receiver.handle(1_000, &payload(5, packet > 5, packet * 160)))
            .collect();
        assert_eq!(heard, "5");
    }

    #[test]
    fn a_press_whose_start_was_lost_is_told() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.handle(1_000, &payload(11, true, 800)), Some('#'));
        assert_eq!(receiver.handle(1_000, &payload(11, true, 800)), None);
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.handle(1_000, &payload(1, false, 160)), Some('1'));
        assert_eq!(receiver.handle(2_600, &payload(1, false, 160)), Some('1'));
        assert_eq!(
            receiver.handle(1_000, &payload(1, true, 800)),
            None,
            "the first one's late end"
        );
        assert_eq!(receiver.handle(2_600, &payload(1, true, 800)), None);
    }

    #[test]
    fn a_key_held_for_ten_seconds_is_one_press_over_the_wrap_of_the_clock() {
        let mut receiver = Receiver::default();
        let begin = u32::MAX - 1_000;
        assert_eq!(receiver.handle(begin, &payload(0, false, 160)), Some('0'));
        assert_eq!(receiver.handle(begin, &payload(0, false, u16::MAX)), None);
        let segment = begin.wrapping_add(65_535);
        assert_eq!(receiver.handle(segment, &payload(0, false, 160)), None);
        assert_eq!(receiver.handle(segment, &payload(0, true, 8_000)), None);
        assert_eq!(
            receiver.handle(segment.wrapping_add(9_600), &payload(0, false, 160)),
            Some('0')
        );
    }

    #[test]
    fn a_flash_and_a_cut_payload_are_no_keys() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.handle(1, &payload(16, false, 160)), None);
        assert_eq!(receiver.handle(500, &[1, 2, 3]), None);
        assert_eq!(receiver.handle(900, &[]), None);
    }

    #[test]
    fn what_is_sent_is_heard() {
        let mut sender = Sender::default();
        for key in ['4', '#', '#'] {
            assert!(sender.push(code(key).expect("a key")));
        }
        let (mut receiver, mut heard, mut ends, mut timestamp) =
            (Receiver::default(), String::new(), 0, 4_294_966_000_u32);
        while sender.busy() {
            if let Slot::Event { marker, timestamp: began, payload } = sender.slot(timestamp, 160) {
                assert_eq!(marker, began == timestamp);
                ends += u32::from(payload[1] >> 7);
                heard.extend(receiver.handle(began, &payload));
            }
            timestamp = timestamp.wrapping_add(160);
        }
        assert_eq!(heard, "4##");
        assert_eq!(ends, 9);
        assert_eq!(sender.slot(timestamp, 160), Slot::Idle);
    }
}
