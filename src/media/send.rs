//! What is sent: one packet for each slot of 20 ms from the start to the end, voice or silence.
//!
//! Slots are counted from the start, and slot n has the nominal time `start + n * 20 ms` and the
//! timestamp `base + n * 160`. Silence is sent at nominal times. A talkspurt does not wait for the
//! next one: its first packet takes the next slot and goes out at once, up to 20 ms early, and the
//! packets behind it keep the same lead, so that they stand on an even grid of their own. When it
//! ends, the next silent slot is sent at its nominal time again. Slots are never invented or left
//! out, so sequence and timestamps are exact, and RTP time is never more than one frame ahead of
//! the wall clock. All times are computed from the start: lateness does not add up.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::base::random::Random;
use crate::media::event::{Digit, Output, Settings};
use crate::media::playout::Playout;
use crate::media::record::Recorder;
use crate::rtp::packet::Header;
use crate::rtp::session::Sent;
use crate::rtp::telephone_event::{self, Slot};

/// The sending side of a port.
#[derive(Debug)]
pub struct Sender {
    codec: Codec,
    payload_type: u8,
    telephone_event: Option<u8>,
    /// Whether the session description lets us send.
    enabled: bool,
    ssrc: u32,
    sequence: u16,
    base: u32,
    started: Option<Instant>,
    /// The slot that is next.
    slot: u64,
    /// While a talkspurt runs: how much earlier than nominal its packets go.
    lead: Option<Duration>,
    /// Whether the next packet is the first after a hole.
    mark: bool,
    dialer: telephone_event::Sender,
    packets: u64,
    octets: u64,
    last_voice: Option<Instant>,
    /// Room for the samples of a frame.
    frame: Vec<i16>,
    /// Room for its payload.
    payload: Vec<u8>,
}

/// What the sender works with: the queue, where to, who else hears it.
pub struct Desk<'a> {
    /// What is to be said.
    pub playout: &'a mut Playout,
    /// Where to send, if anybody knows.
    pub to: Option<SocketAddr>,
    /// The recording.
    pub recorder: Option<&'a mut Recorder>,
    /// The outputs of the port.
    pub out: &'a mut VecDeque<Output>,
}

impl Sender {
    /// Makes a sender; source, sequence and clock begin by chance (RFC 3550 5.1).
    pub fn new(settings: &Settings, random: &mut Random) -> Self {
        Self {
            codec: settings.codec,
            payload_type: settings.payload_type,
            telephone_event: settings.telephone_event,
            enabled: settings.sending,
            ssrc: random.u32(),
            sequence: random.u16(),
            base: random.u32(),
            started: None,
            slot: 0,
            lead: None,
            mark: true,
            dialer: telephone_event::Sender::default(),
            packets: 0,
            octets: 0,
            last_voice: None,
            frame: vec![0; settings.codec.rate().samples_in(SLOT)],
            payload: Vec::with_capacity(settings.codec.rate().samples_in(SLOT)),
        }
    }

    /// Takes a new session description; source, sequence and clock go on.
    pub fn describe(&mut self, settings: &Settings) {
        self.codec = settings.codec;
        self.payload_type = settings.payload_type;
        self.telephone_event = settings.telephone_event;
        self.enabled = settings.sending;
        self.frame.resize(settings.codec.rate().samples_in(SLOT), 0);
    }

    /// Begins to send; a second time changes nothing.
    pub fn start(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    /// Appends keys to be dialled. Without telephone events there is no way to send them.
    pub fn dial(&mut self, digits: &[Digit]) {
        if self.telephone_event.is_none() {
            return;
        }
        for code in digits.iter().filter_map(|digit| telephone_event::code(digit.key())) {
            self.dialer.push(code);
        }
    }

    /// Our source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether the last packet was voice.
    pub fn is_speaking(&self) -> bool {
        self.lead.is_some()
    }

    /// When the last packet of voice was sent.
    pub fn last_voice(&self) -> Option<Instant> {
        self.last_voice
    }

    /// How many packets were sent.
    pub fn sent_packets(&self) -> u64 {
        self.packets
    }

    /// What was sent so far, for a report.
    pub fn sent(&self, now: Instant) -> Sent {
        let running =
            self.started.map_or(Duration::ZERO, |start| now.saturating_duration_since(start));
        let ticks = running.as_micros() * u128::from(self.codec.clock_rate()) / 1_000_000;
        Sent {
            packets: self.packets,
            octets: self.octets,
            timestamp: self.base.wrapping_add(ticks as u32),
        }
    }

    /// When the next packet is due, if there is a `voice` frame to be sent or not.
    pub fn due(&self, voice: bool) -> Option<Instant> {
        let nominal = self.nominal(self.slot)?;
        let early = match (voice && self.may_speak(), self.lead) {
            (false, _) => Duration::ZERO,
            (true, Some(lead)) => lead,
            (true, None) => SLOT,
        };
        nominal.checked_sub(early).or(Some(nominal))
    }

    /// Sends every packet that is due.
    pub fn advance(&mut self, now: Instant, desk: &mut Desk<'_>) {
        while let Some(due) = self.due(desk.to.is_some() && desk.playout.ready())
            && due <= now
        {
            self.skip_if_late(now, desk);
            self.send_slot(now, desk);
        }
    }

    /// After a long sleep the slots in which nothing was sent are left out: the timestamps jump,
    /// and the voice goes on where it was. Sending them now would be a burst.
    fn skip_if_late(&mut self, now: Instant, desk: &mut Desk<'_>) {
        let Some(nominal) = self.nominal(self.slot) else { return };
        let late = (now + self.lead.unwrap_or_default()).saturating_duration_since(nominal);
        if late <= LATEST {
            return;
        }
        let slots = (late.as_micros() / SLOT.as_micros()) as u64;
        self.frame.fill(0);
        for slot in (self.slot..self.slot + slots).take(MAX_RECORDED_SKIP) {
            self.record(slot, desk);
        }
        self.slot += slots;
        self.mark = true;
    }

    fn send_slot(&mut self, now: Instant, desk: &mut Desk<'_>) {
        self.frame.fill(0);
        let ticks = self.codec.clock_rate() / 50;
        let timestamp = self.base.wrapping_add((self.slot as u32).wrapping_mul(ticks));
        match desk.to.filter(|_| self.enabled) {
            None => {
                self.lead = None;
                self.mark = true;
            }
            Some(to) => match self.dialer.slot(timestamp, ticks as u16) {
                Slot::Event { marker, timestamp, payload } => {
                    self.lead = None;
                    if let Some(payload_type) = self.telephone_event {
                        let bytes = self.packet((marker, payload_type, timestamp), &payload);
                        desk.out.push_back(Output::SendRtp { to, bytes });
                    }
                }
                Slot::Idle if desk.playout.ready() => self.speak(now, (to, timestamp), desk),
                Slot::Idle | Slot::Rest => {
                    self.lead = None;
                    desk.playout.take_tail(&mut self.frame);
                    self.send_frame((to, timestamp), desk.out);
                }
            },
        }
        self.record(self.slot, desk);
        self.slot += 1;
    }

    fn speak(&mut self, now: Instant, (to, timestamp): (SocketAddr, u32), desk: &mut Desk<'_>) {
        if self.lead.is_none() {
            let nominal = self.nominal(self.slot).unwrap_or(now);
            self.lead = Some(nominal.saturating_duration_since(now).min(SLOT));
            self.mark = true;
        }
        desk.playout.take(now, &mut self.frame, desk.out);
        self.send_frame((to, timestamp), desk.out);
        self.last_voice = Some(now);
        desk.playout.settle(now, desk.out);
    }

    fn send_frame(&mut self, (to, timestamp): (SocketAddr, u32), out: &mut VecDeque<Output>) {
        let marker = std::mem::take(&mut self.mark);
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        self.codec.encode(&self.frame, &mut payload);
        let bytes = self.packet((marker, self.payload_type, timestamp), &payload);
        self.payload = payload;
        out.push_back(Output::SendRtp { to, bytes });
    }

    fn packet(
        &mut self,
        (marker, payload_type, timestamp): (bool, u8, u32),
        payload: &[u8],
    ) -> Vec<u8> {
        let (sequence, ssrc) = (self.sequence, self.ssrc);
        self.sequence = sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += payload.len() as u64;
        Header { marker, payload_type, sequence, timestamp, ssrc }.write(payload)
    }

    fn record(&self, slot: u64, desk: &mut Desk<'_>) {
        if let (Some(recorder), Some(begin)) = (&mut desk.recorder, self.nominal(slot)) {
            recorder.slot(&self.frame, begin, desk.out);
        }
    }

    fn may_speak(&self) -> bool {
        self.enabled && !self.dialer.busy()
    }

    fn nominal(&self, slot: u64) -> Option<Instant> {
        Some(self.started? + Duration::from_millis(slot.saturating_mul(20)))
    }
}

/// The length of a slot.
const SLOT: Duration = Duration::from_millis(20);

/// Later than this, slots are left out.
const LATEST: Duration = Duration::from_millis(100);

/// Of the slots that are left out, so many are silence in a recording: five seconds.
const MAX_RECORDED_SKIP: usize = 250;
