//! The transaction layer: every transaction of an endpoint, found by key, driven by one agenda.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use bytes::Bytes;

use super::agenda::Agenda;
use super::client::Client;
use super::client_invite::{ClientInvite, Verdict};
use super::key::Key;
use super::server::Server;
use super::server_invite::{Acknowledged, ServerInvite};
use super::timers::{Due, Timers};
use crate::sip::event::{Connection, Flow, Output};

/// The table of transactions. `U` is what their user wants to remember with each.
#[derive(Debug)]
pub struct Layer<U> {
    timers: Timers,
    transactions: HashMap<TransactionId, Transaction<U>>,
    by_key: HashMap<Key, TransactionId>,
    agenda: Agenda<TransactionId>,
    /// What goes through each connection.
    by_stream: HashMap<Connection, BTreeSet<TransactionId>>,
    last: u64,
}

/// The identity of one transaction in its layer; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// Octets and where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// From which socket to where.
    pub flow: Flow,
    /// The message.
    pub bytes: Bytes,
}

impl From<Datagram> for Output {
    fn from(datagram: Datagram) -> Self {
        Self::Transmit { flow: datagram.flow, bytes: datagram.bytes }
    }
}

#[derive(Debug)]
struct Transaction<U> {
    key: Key,
    flow: Flow,
    /// What goes out again: the request, its ACK, or the last answer.
    message: Bytes,
    /// The same request for a datagram, when it was too large for one and went by a stream.
    narrow: Option<Datagram>,
    machine: Machine,
    user: U,
}

#[derive(Debug)]
enum Machine {
    ClientInvite(ClientInvite),
    Client(Client),
    ServerInvite(ServerInvite),
    Server(Server),
}

/// What a response means to the layer.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It belongs to no transaction.
    Stray,
    /// The user hears it.
    Deliver(TransactionId),
    /// The user hears it and gives the layer the ACK of the refusal.
    Acknowledge(TransactionId),
    /// It is known; this goes out again, if anything.
    Absorbed(Option<Datagram>),
}

/// What a request means to the layer.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// It belongs to no transaction yet.
    New,
    /// It is known; this goes out again, if anything.
    Absorbed(Option<Datagram>),
}

/// What became of a transaction whose timer fired.
#[derive(Debug)]
pub enum Fired<U> {
    /// It repeats itself.
    Resend(Datagram),
    /// The peer never answered; the transaction is gone.
    TimedOut(U),
    /// It is done; the transaction is gone.
    Over(U),
}

impl<U> Layer<U> {
    /// Makes an empty layer.
    pub fn new(timers: Timers) -> Self {
        Self {
            timers,
            transactions: HashMap::new(),
            by_key: HashMap::new(),
            agenda: Agenda::default(),
            by_stream: HashMap::new(),
            last: 0,
        }
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
            && self.by_key.is_empty()
            && self.agenda.is_empty()
            && self.by_stream.is_empty()
    }

    /// Begins an INVITE; the datagram is to be sent by the caller.
    pub fn invite(&mut self, key: Key, sent: &Datagram, user: U, now: Instant) -> TransactionId {
        let machine =
            Machine::ClientInvite(ClientInvite::start(now, self.timers.over(sent.flow.transport)));
        self.insert(key, sent.clone(), machine, user)
    }

    /// Begins another request; the datagram is to be sent by the caller.
    pub fn request(&mut self, key: Key, sent: &Datagram, user: U, now: Instant) -> TransactionId {
        let machine = Machine::Client(Client::start(now, self.timers.over(sent.flow.transport)));
        self.insert(key, sent.clone(), machine, user)
    }

    /// Takes on an INVITE that arrived through `flow`.
    pub fn serve_invite(&mut self, key: Key, flow: Flow, user: U) -> TransactionId {
        let machine = Machine::ServerInvite(ServerInvite::start(self.timers.over(flow.transport)));
        self.insert(key, Datagram { flow, bytes: Bytes::new() }, machine, user)
    }

    /// Takes on another request that arrived through `flow`.
    pub fn serve(&mut self, key: Key, flow: Flow, user: U, now: Instant) -> TransactionId {
        let machine = Machine::Server(Server::start(now, self.timers.over(flow.transport)));
        self.insert(key, Datagram { flow, bytes: Bytes::new() }, machine, user)
    }

    /// Takes a response with the key of its branch and CSeq method. It counts only when it comes
    /// from where the request went (T7).
    pub fn hear(&mut self, key: &Key, flow: Flow, status: u16, now: Instant) -> Heard {
        let Some(&id) = self.by_key.get(key) else { return Heard::Stray };
        let Some(transaction) = self.transactions.get_mut(&id) else { return Heard::Stray };
        if !transaction.flow.is_of_one_peer(&flow) {
            return Heard::Stray;
        }
        let heard = match &mut transaction.machine {
            Machine::ClientInvite(machine) => match machine.receive(status, now) {
                Verdict::Deliver => Heard::Deliver(id),
                Verdict::DeliverAndAcknowledge => Heard::Acknowledge(id),
                Verdict::AcknowledgeAgain => Heard::Absorbed(Some(transaction.again())),
                Verdict::Absorb => Heard::Absorbed(None),
            },
            Machine::Client(machine) => match machine.receive(status, now) {
                true => Heard::Deliver(id),
                false => Heard::Absorbed(None),
            },
            Machine::ServerInvite(_) | Machine::Server(_) => Heard::Stray,
        };
        self.rearm(id);
        heard
    }

    /// Takes the ACK of the refusal that was just heard; it is repeated with each repetition of
    /// the refusal.
    pub fn acknowledged(&mut self, id: TransactionId, ack: Bytes) -> Option<Datagram> {
        let transaction = self.transactions.get_mut(&id)?;
        transaction.message = ack;
        Some(transaction.again())
    }

    /// Takes a request other than ACK. A repetition counts only from where the first came.
    pub fn ask(&self, key: &Key, flow: Flow) -> Asked {
        let known = self.by_key.get(key).and_then(|id| self.transactions.get(id));
        let Some(transaction) = known else { return Asked::New };
        let repeats = match &transaction.machine {
            Machine::ServerInvite(machine) => machine.repeat(),
            Machine::Server(machine) => machine.repeat(),
            Machine::ClientInvite(_) | Machine::Client(_) => false,
        };
        let ours = transaction.flow.is_of_one_peer(&flow);
        let said = !transaction.message.is_empty();
        Asked::Absorbed((repeats && ours && said).then(|| transaction.again()))
    }

    /// Takes an ACK; tells whether it is the dialog's affair.
    pub fn acknowledge(&mut self, key: &Key, flow: Flow, now: Instant) -> Acknowledged {
        let Some(&id) = self.by_key.get(key) else { return Acknowledged::Answer };
        let transaction = self.transactions.get_mut(&id);
        let Some(Transaction { machine: Machine::ServerInvite(machine), flow: from, .. }) =
            transaction
        else {
            return Acknowledged::Answer;
        };
        if !from.is_of_one_peer(&flow) {
            return Acknowledged::Refusal;
        }
        let whose = machine.acknowledge(now);
        self.rearm(id);
        whose
    }

    /// Answers a request; `None` when its transaction has answered or is gone.
    pub fn respond(
        &mut self,
        id: TransactionId,
        status: u16,
        response: Bytes,
        now: Instant,
    ) -> Option<Datagram> {
        let transaction = self.transactions.get_mut(&id)?;
        let may = match &mut transaction.machine {
            Machine::ServerInvite(machine) => machine.respond(status, now),
            Machine::Server(machine) => machine.respond(status, now),
            Machine::ClientInvite(_) | Machine::Client(_) => false,
        };
        if !may {
            return None;
        }
        transaction.message = response;
        let datagram = transaction.again();
        self.rearm(id);
        Some(datagram)
    }

    /// What goes out again, by the layer or when its user asks for it.
    pub fn message(&self, id: TransactionId) -> Option<Datagram> {
        self.transactions.get(&id).map(Transaction::again)
    }

    /// Finds a transaction by its key.
    pub fn find(&self, key: &Key) -> Option<TransactionId> {
        self.by_key.get(key).copied()
    }

    /// Where the transaction's messages go.
    pub fn flow(&self, id: TransactionId) -> Option<Flow> {
        self.transactions.get(&id).map(|transaction| transaction.flow)
    }

    /// What the user remembers with a transaction.
    pub fn user(&mut self, id: TransactionId) -> Option<&mut U> {
        self.transactions.get_mut(&id).map(|transaction| &mut transaction.user)
    }

    /// Whether the final answer is still to come or to be given. Gone is not open.
    pub fn is_open(&self, id: TransactionId) -> bool {
        match self.transactions.get(&id).map(|transaction| &transaction.machine) {
            Some(Machine::ClientInvite(machine)) => machine.is_open(),
            Some(Machine::ServerInvite(machine)) => machine.is_open(),
            Some(Machine::Client(_) | Machine::Server(_)) | None => false,
        }
    }

    /// Whether our INVITE has had a provisional answer and no final one: the time for a CANCEL.
    pub fn is_proceeding(&self, id: TransactionId) -> bool {
        match self.transactions.get(&id).map(|transaction| &transaction.machine) {
            Some(Machine::ClientInvite(machine)) => machine.is_proceeding(),
            Some(Machine::ServerInvite(_) | Machine::Client(_) | Machine::Server(_)) | None => {
                false
            }
        }
    }

    /// Forgets a transaction that will never be answered (RFC 3261 9.1, last paragraph).
    pub fn forget(&mut self, id: TransactionId) -> Option<U> {
        let transaction = self.transactions.remove(&id)?;
        if self.by_key.get(&transaction.key) == Some(&id) {
            self.by_key.remove(&transaction.key);
        }
        self.agenda.arm(id, None);
        self.leave_stream(id, &transaction.flow);
        Some(transaction.user)
    }

    /// What goes through a connection, the oldest first.
    pub fn through(&self, stream: &Connection) -> Vec<TransactionId> {
        self.by_stream.get(stream).into_iter().flatten().copied().collect()
    }

    /// Whether we asked, and the final answer is still to come.
    pub fn is_ours_and_open(&self, id: TransactionId) -> bool {
        match self.transactions.get(&id).map(|transaction| &transaction.machine) {
            Some(Machine::ClientInvite(machine)) => machine.is_open(),
            Some(Machine::Client(machine)) => machine.is_open(),
            Some(Machine::ServerInvite(_) | Machine::Server(_)) | None => false,
        }
    }

    /// Remembers a request as the datagram that it would have been, were it not too large.
    pub fn keep_for_want_of_a_stream(&mut self, id: TransactionId, narrow: Datagram) {
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.narrow = Some(narrow);
        }
    }

    /// Begins a request again as a datagram, when there is no stream to carry it (18.1.1).
    pub fn fall_back(&mut self, id: TransactionId, now: Instant) -> Option<Datagram> {
        let transaction = self.transactions.get_mut(&id)?;
        let narrow = transaction.narrow.take()?;
        let timers = self.timers.over(narrow.flow.transport);
        match &mut transaction.machine {
            Machine::ClientInvite(machine) if machine.is_unheard() => {
                *machine = ClientInvite::start(now, timers);
            }
            Machine::Client(machine) if machine.is_unheard() => {
                *machine = Client::start(now, timers);
            }
            Machine::ClientInvite(_)
            | Machine::Client(_)
            | Machine::ServerInvite(_)
            | Machine::Server(_) => return None,
        }
        transaction.message = narrow.bytes.clone();
        self.reroute(id, narrow.flow);
        self.rearm(id);
        Some(narrow)
    }

    /// Lets a transaction's messages go elsewhere.
    pub fn reroute(&mut self, id: TransactionId, flow: Flow) {
        let Some(transaction) = self.transactions.get_mut(&id) else { return };
        let before = std::mem::replace(&mut transaction.flow, flow);
        self.leave_stream(id, &before);
        self.join_stream(id, flow);
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// Lets one due timer fire; to be called until it has nothing to tell.
    pub fn tick(&mut self, now: Instant) -> Option<Fired<U>> {
        while let Some(id) = self.agenda.pop_due(now) {
            let Some(transaction) = self.transactions.get_mut(&id) else { continue };
            let due = match &mut transaction.machine {
                Machine::ClientInvite(machine) => machine.tick(now),
                Machine::Client(machine) => machine.tick(now),
                Machine::ServerInvite(machine) => machine.tick(now),
                Machine::Server(machine) => machine.tick(now),
            };
            match due {
                Some(Due::Resend) => {
                    let datagram = transaction.again();
                    self.rearm(id);
                    return Some(Fired::Resend(datagram));
                }
                Some(Due::TimedOut) => return self.forget(id).map(Fired::TimedOut),
                Some(Due::Over) => return self.forget(id).map(Fired::Over),
                None => self.rearm(id),
            }
        }
        None
    }

    fn insert(&mut self, key: Key, datagram: Datagram, machine: Machine, user: U) -> TransactionId {
        self.last += 1;
        let id = TransactionId(self.last);
        let Datagram { flow, bytes: message } = datagram;
        self.by_key.insert(key.clone(), id);
        let narrow = None;
        self.transactions.insert(id, Transaction { key, flow, message, narrow, machine, user });
        self.join_stream(id, flow);
        self.rearm(id);
        id
    }

    fn join_stream(&mut self, id: TransactionId, flow: Flow) {
        if let Some(stream) = flow.connection() {
            self.by_stream.entry(stream).or_default().insert(id);
        }
    }

    fn leave_stream(&mut self, id: TransactionId, flow: &Flow) {
        let Some(stream) = flow.connection() else { return };
        if let Some(ids) = self.by_stream.get_mut(&stream) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_stream.remove(&stream);
            }
        }
    }

    fn rearm(&mut self, id: TransactionId) {
        let Some(transaction) = self.transactions.get(&id) else { return };
        let deadline = match &transaction.machine {
            Machine::ClientInvite(machine) => machine.deadline(),
            Machine::Client(machine) => machine.deadline(),
            Machine::ServerInvite(machine) => machine.deadline(),
            Machine::Server(machine) => machine.deadline(),
        };
        self.agenda.arm(id, deadline);
    }
}

impl<U> Transaction<U> {
    fn again(&self) -> Datagram {
        Datagram { flow: self.flow, bytes: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn flow(last: u8) -> Flow {
        Flow::udp(
            "192.0.2.1:5060".parse().unwrap(),
            std::net::SocketAddr::from(([192, 0, 2, last], 5060)),
        )
    }

    #[test]
    fn a_repeated_request_is_absorbed_and_answered_only_at_its_source() {
        let start = Instant::now();
        let mut layer = Layer::new(Timers::default());
        let key = Key::server("z9hG4bKa", "peer", "BYE");
        assert_eq!(layer.ask(&key, flow(9)), Asked::New);
        let id = layer.serve(key.clone(), flow(9), (), start);
        assert_eq!(layer.ask(&key, flow(9)), Asked::Absorbed(None));
        let ok = Bytes::from_static(b"200");
        let sent = layer.respond(id, 200, ok, start).expect("the first final answer");
        assert_eq!(layer.ask(&key, flow(9)), Asked::Absorbed(Some(sent)));
        assert_eq!(layer.ask(&key, flow(66)), Asked::Absorbed(None));
    }

    #[test]
    fn a_response_from_elsewhere_is_stray() {
        let start = Instant::now();
        let mut layer = Layer::new(Timers::default());
        let key = Key::client("z9hG4bKa", "BYE");
        let sent = Datagram { flow: flow(9), bytes: Bytes::from_static(b"BYE") };
        let id = layer.request(key.clone(), &sent, (), start);
        assert_eq!(layer.hear(&key, flow(66), 200, start), Heard::Stray);
        assert_eq!(layer.hear(&key, flow(9), 200, start), Heard::Deliver(id));
        assert_eq!(layer.hear(&key, flow(9), 200, start), Heard::Absorbed(None));
    }

    #[test]
    fn a_layer_whose_timers_ran_out_is_empty() {
        let start = Instant::now();
        let mut layer = Layer::new(Timers::default());
        let sent = Datagram { flow: flow(9), bytes: Bytes::from_static(b"x") };
        layer.invite(Key::client("z9hG4bKa", "INVITE"), &sent, 'i', start);
        layer.request(Key::client("z9hG4bKa", "BYE"), &sent, 'b', start);
        layer.serve(Key::server("z9hG4bKb", "peer", "INFO"), flow(9), 's', start);
        let mut ended = Vec::new();
        while let Some(now) = layer.deadline() {
            while let Some(fired) = layer.tick(now) {
                match fired {
                    Fired::TimedOut(user) | Fired::Over(user) => ended.push((user, now - start)),
                    Fired::Resend(_) => {}
                }
            }
        }
        let patience = Duration::from_secs(32);
        assert_eq!(ended, [('i', patience), ('b', patience), ('s', patience)]);
        assert!(layer.is_empty());
    }
}
