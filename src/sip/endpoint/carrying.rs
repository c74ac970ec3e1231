//! How requests are carried: large ones by a stream where there is one (RFC 3261 18.1.1), and what
//! becomes of everything that went through a connection when that is lost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Endpoint, Use};
use crate::sip::dialog::invite::Phase;
use crate::sip::dialog::state::Dialog;
use crate::sip::event::{Connection, Ending, Event, Flow, Transport};
use crate::sip::transaction::key::Key;
use crate::sip::transaction::layer::{Datagram, TransactionId};

impl Endpoint {
    /// Begins a request of ours and sends it: by TCP when it is too large for a datagram and the
    /// peer may know TCP, with the datagram kept for a peer that does not.
    pub(super) fn open(
        &mut self,
        key: Key,
        datagram: Datagram,
        purpose: Use,
        now: Instant,
    ) -> TransactionId {
        let is_large = self.is_large(&datagram);
        let wide = if is_large { self.widened(&datagram, now) } else { None };
        self.begin(key, (datagram, wide), purpose, now)
    }

    /// The same inside a dialog: by TCP also when the peer's Contact or route asks for it
    /// (12.2.1.1, RFC 3263 4.1).
    pub(super) fn open_inside(
        &mut self,
        dialog: &Dialog,
        (key, bytes): (Key, Bytes),
        purpose: Use,
        now: Instant,
    ) -> TransactionId {
        let datagram = Datagram { flow: dialog.next_hop(), bytes };
        let wants_stream = dialog.wants_tcp() || self.is_large(&datagram);
        let wide = if wants_stream { self.widened(&datagram, now) } else { None };
        self.begin(key, (datagram, wide), purpose, now)
    }

    /// Sends the ACK of a 200, which is a request of the dialog and goes as any other one
    /// (13.2.2.4). No timer repeats it: when the peer repeats its answer the ACK goes out as the
    /// datagram that its owner has kept, for then no stream has carried it.
    pub(super) fn send_ack(&mut self, dialog: &Dialog, ack: Datagram, now: Instant) {
        let wants_stream = dialog.wants_tcp() || self.is_large(&ack);
        let wide = if wants_stream { self.widened(&ack, now) } else { None };
        self.send(wide.unwrap_or(ack));
    }

    fn begin(
        &mut self,
        key: Key,
        (datagram, wide): (Datagram, Option<Datagram>),
        purpose: Use,
        now: Instant,
    ) -> TransactionId {
        let sent = wide.as_ref().unwrap_or(&datagram).clone();
        let id = if key.is_invite() {
            self.layer.invite(key, &sent, purpose, now)
        } else {
            self.layer.request(key, &sent, purpose, now)
        };
        if wide.is_some() {
            self.layer.keep_for_want_of_a_stream(id, datagram);
        }
        self.send(sent);
        id
    }

    fn is_large(&self, datagram: &Datagram) -> bool {
        datagram.bytes.len() > self.settings.largest_datagram
    }

    /// The same request for a TCP connection, when it would go as a datagram.
    fn widened(&self, datagram: &Datagram, now: Instant) -> Option<Datagram> {
        let Datagram { flow, bytes } = datagram;
        let may = flow.transport == Transport::Udp && !self.lacks_tcp(flow.remote, now);
        let local = self.settings.tcp_beside(flow.local).filter(|_| may)?;
        let wide = Flow { transport: Transport::Tcp, local, remote: flow.remote };
        let old = self.sent_with(*flow);
        let new = self.sent_with(wide);
        let at = bytes.windows(old.len()).position(|window| window == old.as_bytes())?;
        let (before, rest) = bytes.split_at_checked(at)?;
        let (_, after) = rest.split_at_checked(old.len())?;
        let bytes = Bytes::from([before, new.as_bytes(), after].concat());
        Some(Datagram { flow: wide, bytes })
    }

    fn lacks_tcp(&self, peer: SocketAddr, now: Instant) -> bool {
        let until = self.without_tcp.get(&peer);
        until.is_some_and(|until| now < *until)
    }

    /// Takes the news that a connection is gone, or could not be had.
    pub(super) fn connection_lost(&mut self, lost: Connection, now: Instant) {
        for id in self.layer.through(&lost) {
            if let Some(datagram) = self.layer.fall_back(id, now) {
                self.remember_without_tcp(lost.remote, now);
                self.send(datagram);
            } else if self.layer.is_ours_and_open(id) {
                if let Some(purpose) = self.layer.forget(id) {
                    self.unreachable(purpose, now);
                }
            } else {
                self.unanswerable(id, now);
            }
        }
        for session in self.sessions.through(&lost) {
            let Some(mut session) = self.sessions.take(session) else { continue };
            session.lose_connection(lost);
            self.sessions.put(session);
        }
    }

    /// No answer will come to a request of ours: as if its time were over (8.1.3.1).
    fn unreachable(&mut self, purpose: Use, now: Instant) {
        match purpose {
            Use::Ask(id, _) => self.report(Event::untold(id, 503)),
            other => self.time_out(other, now),
        }
    }

    /// The peer's request cannot be answered where it came from. A caller who listens at the
    /// address in his Via is answered there (18.2.2); any other call is lost.
    fn unanswerable(&mut self, id: TransactionId, now: Instant) {
        let Some(&mut Use::Incoming(session, _)) = self.layer.user(id) else { return };
        let Some(mut session) = self.sessions.take(session) else { return };
        let Phase::Ringing(ringing) = &mut session.phase else { return self.sessions.put(session) };
        match ringing.invite.answered_elsewhere(self.layer.flow(id)) {
            Some(elsewhere) => {
                ringing.dialog.flow = elsewhere;
                self.layer.reroute(id, elsewhere);
                self.sessions.put(session);
            }
            None => {
                if let Some(purpose) = self.layer.forget(id) {
                    self.forget_purpose(&purpose);
                }
                self.settle(session, Some(Ending::Lost), now);
            }
        }
    }

    fn remember_without_tcp(&mut self, peer: SocketAddr, now: Instant) {
        if self.without_tcp.len() >= MOST_WITHOUT_TCP {
            self.without_tcp.clear();
        }
        self.without_tcp.insert(peer, now + TCP_AGAIN);
    }
}

/// How many peers are remembered that know no TCP.
const MOST_WITHOUT_TCP: usize = 1_024;

/// After how long they are asked again.
const TCP_AGAIN: Duration = Duration::from_secs(3_600);
