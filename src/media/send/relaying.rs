//! Sending what another port's peer says: as it is when nothing else is to be heard, else mixed.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Desk, Sender};
use crate::audio::noise::Level;
use crate::base::id::PortId;
use crate::media::event::Output;
use crate::media::link::{Content, Passage};
use crate::media::relay::{Next, Place, Relay, scaled};
use crate::rtp::packet::Header;

impl Sender {
    /// Takes what the peer of another port said: relays it as it is when nothing else is to be
    /// heard, else keeps it for the mix.
    pub fn take(&mut self, now: Instant, (from, passage): (PortId, &Passage), desk: &mut Desk<'_>) {
        if self.started.is_none() {
            return;
        }
        if passage.content == Content::Comfort {
            // The speaker rests: our own slots go on, with the background that it has.
            self.background = Level::read(&passage.payload);
            return self.stop_relay(now);
        }
        self.background = None;
        if self.mixes(desk) || !Relay::suits(passage, self.encoder.codec()) {
            self.stop_relay(now);
            self.inlets.put(now, (from, passage));
            return self.advance(now, desk);
        }
        let Some(to) = desk.to.filter(|_| self.enabled) else { return };
        self.inlets.clear();
        if let Some(recorder) = &mut desk.recorder {
            recorder.relay(now, (from, passage), &self.libraries);
        }
        self.relay_packet(now, (from, passage), (to, desk));
    }

    /// Takes what we ourselves say at another port: it is always mixed.
    pub fn oversee(
        &mut self,
        now: Instant,
        (from, passage): (PortId, &Passage),
        desk: &mut Desk<'_>,
    ) {
        if self.started.is_none() {
            return;
        }
        self.stop_relay(now);
        self.inlets.put(now, (from, passage));
        self.advance(now, desk);
    }

    fn relay_packet(
        &mut self,
        now: Instant,
        (from, passage): (PortId, &Passage),
        (to, desk): (SocketAddr, &mut Desk<'_>),
    ) {
        let next = Next { sequence: self.sequence, timestamp: self.next_timestamp(now) };
        let codec = self.encoder.codec();
        let clock = codec.clock_rate();
        let Some(Place { at, first }) = self.relay.place(now, (from, passage), next, clock) else {
            return;
        };
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let mut sent = (self.payload_type, at.timestamp);
        let mut ticks = 0;
        match (passage.content, self.telephone_event) {
            (Content::Voice(_), _) => {
                self.relay.voice(passage, &mut self.encoder, &mut payload);
                ticks = codec.ticks(&payload);
            }
            (Content::Key { clock }, Some(payload_type)) => {
                sent.0 = payload_type;
                payload.extend_from_slice(&passage.payload);
                retime(&mut payload, clock, self.packing.key_clock);
            }
            (Content::Key { .. }, None) => {
                if let Some(begin) = self.relay.tone(passage, &mut self.encoder, &mut payload) {
                    sent.1 = at.timestamp.wrapping_add(begin);
                    ticks = codec.ticks(&payload);
                }
            }
            (Content::Comfort, _) => {}
        }
        self.relayed = Some(now);
        self.lead = None;
        if payload.is_empty() {
            self.relay.leave_out();
        } else {
            let marker = std::mem::take(&mut self.mark) || passage.marker || first;
            let (payload_type, timestamp) = sent;
            let (sequence, ssrc) = (at.sequence, self.ssrc);
            let bytes = Header { marker, payload_type, sequence, timestamp, ssrc }.write(&payload);
            let end = sequence.wrapping_add(1);
            if end.wrapping_sub(self.sequence) < u16::MAX / 2 {
                self.sequence = end;
            }
            self.relayed_until = timestamp.wrapping_add(ticks);
            self.packets += 1;
            self.octets += payload.len() as u64;
            desk.out.push_back(Output::SendRtp { to, bytes });
        }
        self.payload = payload;
    }

    /// Whether what is heard must be put together here.
    pub(super) fn mixes(&self, desk: &Desk<'_>) -> bool {
        self.speakers > 1
            || self.dialer.busy()
            || self.backdrop.plays()
            || self.enabled && desk.to.is_some() && desk.playout.ready()
    }

    /// Our own slots go on where the relay ends: neither the wall clock nor RTP time goes back.
    pub(super) fn stop_relay(&mut self, now: Instant) {
        let (Some(start), Some(_)) = (self.started, self.relayed.take()) else { return };
        self.relay.stop();
        self.mark = true;
        let passed = now.saturating_duration_since(start).as_micros();
        self.slot = self.slot.max(passed.div_ceil(self.length.as_micros()) as u64);
        let ahead = self.relayed_until.wrapping_sub(self.timestamp_of(self.slot));
        if (1..u32::MAX / 2).contains(&ahead) {
            self.base = self.base.wrapping_add(ahead);
        }
    }

    /// Where our stream goes on now.
    fn next_timestamp(&self, now: Instant) -> u32 {
        let own = self.timestamp_of(self.slot);
        let Some(start) = self.started else { return own };
        let passed = now.saturating_duration_since(start).as_micros();
        let ticks = passed * u128::from(self.encoder.codec().clock_rate()) / 1_000_000;
        let by_clock = self.base.wrapping_add(ticks as u32);
        let is_ahead = by_clock.wrapping_sub(own) < u32::MAX / 2;
        if is_ahead { by_clock } else { own }
    }

    pub(super) fn timestamp_of(&self, slot: u64) -> u32 {
        let ticks = self.encoder.codec().ticks_in(self.length);
        self.base.wrapping_add((slot as u32).wrapping_mul(ticks))
    }

    /// While packets are relayed, a slot is only recorded: the recorder has what was passed on.
    pub(super) fn record_slot(&mut self, desk: &mut Desk<'_>) {
        self.frame.fill(0);
        self.record(self.slot, desk);
        self.slot += 1;
    }
}

/// Writes the duration of a telephone event, which is counted by `clock`, in ticks of `ours`.
fn retime(event: &mut [u8], clock: u32, ours: u32) {
    let Some((&mut [_, _, ref mut high, ref mut low], _)) = event.split_first_chunk_mut::<4>()
    else {
        return;
    };
    let ticks = scaled(u32::from(u16::from_be_bytes([*high, *low])), clock, ours);
    [*high, *low] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
}
