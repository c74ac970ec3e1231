//! The media shard: one thread that owns the ports of many calls, their sockets and one speech
//! detector. It never waits for anybody: what a call does not take in time is dropped and counted.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use crate::call::event::Input;
use crate::engine::clock;
use crate::engine::gauges::Gauges;
use crate::engine::web::entrance::Entrance;
use crate::engine::web::{Around, Web};
use crate::media::event::{Command, Output, Settings, Window};
use crate::media::link::Passage;
use crate::media::port::Port;
use crate::net::dtls::Identity;
use crate::net::ports::Pair;
use crate::net::watch::{Waker, Watch};
use crate::providers::detector::{Detector, Slot};

pub use order::{Opening, Order, Pipes, PortId, Spoken};

use entry::{Entry, Way, feed};

mod entry;
mod order;

/// How others reach a shard.
#[derive(Debug, Clone)]
pub struct MediaHandle {
    orders: SyncSender<Order>,
    waker: Waker,
    browsers: Option<u16>,
}

impl MediaHandle {
    /// The port to which browsers come, if any can.
    pub fn browsers(&self) -> Option<u16> {
        self.browsers
    }

    /// Orders something. A shard that is a thousand orders behind is lost; then the order is too,
    /// and the call's own time-outs end it.
    pub fn order(&self, order: Order) {
        match self.orders.try_send(order) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                tracing::error!("the media shard does not take orders");
            }
        }
    }
}

/// Owns the ports of many calls.
pub struct MediaShard {
    watch: Watch,
    /// When it looked last, while it serves a crowd.
    looked: Option<Instant>,
    /// Sockets that have something to be read, each as a place and which of the two.
    readable: Vec<usize>,
    /// Counts the rounds of reading; from 2, so that nothing was read in the one before.
    round: u64,
    orders: Receiver<Order>,
    detector: Box<dyn Detector>,
    /// Who we are to browsers; without one, none is reached.
    identity: Option<Arc<Identity>>,
    /// Where browsers come in, if any are expected.
    entrance: Option<Entrance>,
    gauges: Arc<Gauges>,
    entries: Vec<Option<Entry>>,
    /// Places among the entries that nobody has.
    vacant: Vec<usize>,
    places: HashMap<PortId, usize>,
    wheel: BinaryHeap<Reverse<(Instant, usize)>>,
    /// What ports gave to each other and was not delivered yet.
    passages: VecDeque<(PortId, PortId, Passage)>,
    windows: Vec<(usize, Slot, Window)>,
    windows_since: Option<Instant>,
    probabilities: Vec<f32>,
    random: crate::base::random::Random,
    buffer: Box<[u8]>,
}

impl MediaShard {
    /// Starts a shard on a thread of its own; it ends when every handle is gone.
    ///
    /// # Errors
    /// When the kernel gives no epoll or no thread.
    pub fn start(detector: Box<dyn Detector>, gauges: Arc<Gauges>) -> io::Result<MediaHandle> {
        Self::start_with((None, None), detector, gauges)
    }

    /// Starts one that is somebody to browsers, and one at whose entrance they are expected.
    ///
    /// # Errors
    /// When the kernel gives no epoll or no thread.
    pub fn start_with(
        (identity, entrance): (Option<Arc<Identity>>, Option<Entrance>),
        detector: Box<dyn Detector>,
        gauges: Arc<Gauges>,
    ) -> io::Result<MediaHandle> {
        let watch = Watch::new()?;
        if let Some(entrance) = &entrance {
            watch.add(entrance.socket(), ENTRANCE)?;
        }
        let browsers = entrance.as_ref().map(|it| it.local().port());
        let waker = watch.waker();
        let (sender, orders) = sync_channel(1_024);
        let shard = Self {
            watch,
            looked: None,
            readable: Vec::with_capacity(1_024),
            round: 1,
            orders,
            detector,
            identity,
            entrance,
            gauges,
            entries: Vec::new(),
            vacant: Vec::new(),
            places: HashMap::new(),
            wheel: BinaryHeap::new(),
            passages: VecDeque::new(),
            windows: Vec::new(),
            windows_since: None,
            probabilities: Vec::new(),
            random: clock::random(),
            buffer: vec![0; 2_048].into_boxed_slice(),
        };
        std::thread::Builder::new().name("media".to_owned()).spawn(move || shard.run())?;
        Ok(MediaHandle { orders: sender, waker, browsers })
    }

    fn run(mut self) {
        hurry();
        loop {
            self.rest();
            let mut readable = std::mem::take(&mut self.readable);
            self.watch.readable(&mut readable);
            self.round += 1;
            for token in readable.drain(..) {
                self.receive(token);
            }
            self.readable = readable;
            if !self.obey() {
                return;
            }
            self.tick();
            self.detect();
        }
    }

    /// Waits until there is something to do. With many ports there nearly always is: then it is
    /// done together, once in a millisecond, and nobody rings for it.
    fn rest(&mut self) {
        let now = clock::now();
        let is_crowd = self.places.len() >= CROWD;
        if is_crowd != self.looked.is_some() {
            self.watch.look_by_itself(is_crowd);
            self.looked = is_crowd.then_some(now);
            // What was ordered without a ring is to be seen before a wait.
            return;
        }
        match &mut self.looked {
            None => self.watch.wait(self.deadline().map(|at| at.saturating_duration_since(now))),
            Some(looked) => {
                *looked += EACH;
                match looked.checked_duration_since(now) {
                    Some(rest) => std::thread::sleep(rest),
                    // Too late for this look: the next ones are a millisecond apart again.
                    None => *looked = now,
                }
            }
        }
    }

    /// When the thread must wake: for a port or for windows that wait for company.
    fn deadline(&self) -> Option<Instant> {
        let port = self.wheel.peek().map(|Reverse((at, _))| *at);
        let windows = self.windows_since.map(|since| since + GATHER);
        port.into_iter().chain(windows).min()
    }

    /// Reads a socket: one datagram, or many if there were some in the round before too. What then
    /// is left is told again when all others were served: a flood on one call starves nobody (T11).
    fn receive(&mut self, token: usize) {
        if token == ENTRANCE {
            return self.let_in();
        }
        let (place, control) = (token / 2, token % 2 == 1);
        let Some(Some(entry)) = self.entries.get_mut(place) else { return };
        let is_busy = std::mem::replace(&mut entry.read_in, self.round) + 1 == self.round;
        for _ in 0..if is_busy { BATCH } else { 1 } {
            let Way::Own(own, web) = &mut entry.way else { break };
            let socket = if control { &own.rtcp } else { &own.rtp };
            let Ok((length, from)) = socket.recv_from(&mut self.buffer) else { break };
            let (now, bytes) = (clock::now(), &self.buffer[..length]);
            match web {
                // A browser has one port for everything.
                Some(_) if control => {}
                Some(web) => {
                    let around = Around { port: &mut entry.port, socket: &own.rtp };
                    web.handle(now, (from, bytes), around);
                }
                None if control => entry.port.handle_rtcp(now, from, bytes),
                None => entry.port.handle_rtp(now, from, bytes),
            }
        }
        self.settle(place);
    }

    /// Reads the port of all browsers.
    fn let_in(&mut self) {
        for _ in 0..CROWDED {
            let Some(entrance) = &mut self.entrance else { return };
            let Ok((length, from)) = entrance.socket().recv_from(&mut self.buffer) else { return };
            let (now, bytes) = (clock::now(), &self.buffer[..length]);
            let Some(place) = entrance.whose(now, from, bytes) else { continue };
            let Some(Some(entry)) = self.entries.get_mut(place) else { continue };
            let Way::Browser(web) = &mut entry.way else { continue };
            let around = Around { port: &mut entry.port, socket: entrance.socket() };
            if let Some(proof) = web.handle(now, (from, bytes), around) {
                entrance.proven(now, (from, place), proof);
            }
            self.settle(place);
        }
    }

    /// Takes the orders that wait; false when nobody can give any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Open(opening)) => self.open(*opening),
                Ok(Order::Command(id, command)) => {
                    if let Command::Update(settings) = &command {
                        self.agree(id, settings);
                    }
                    self.with(id, |entry| entry.port.handle(clock::now(), command));
                }
                Ok(Order::Feed(id)) => self.with(id, feed),
                Ok(Order::Hear(id, heard)) => self.with(id, |entry| entry.pipes.heard = heard),
                Ok(Order::Fork(id, tap)) => self.with(id, |entry| {
                    entry.port.handle(clock::now(), Command::Tap(tap.is_some()));
                    entry.fork = tap;
                }),
                Ok(Order::TakeDown(id, track)) => self.with(id, |entry| entry.message = track),
                Ok(Order::Close(id)) => self.close(id),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// A browser may go by another name from now on.
    fn agree(&mut self, id: PortId, settings: &Settings) {
        let Some(place) = self.places.get(&id).copied() else { return };
        let Some(Some(entry)) = self.entries.get_mut(place) else { return };
        if let (Some(web), Some(pairing)) = (entry.way.web(), &settings.web) {
            web.agree(pairing);
        }
        if let (Way::Browser(web), Some(entrance)) = (&entry.way, &mut self.entrance) {
            entrance.name(place, web.name());
        }
    }

    fn with(&mut self, id: PortId, act: impl FnOnce(&mut Entry)) {
        let Some(place) = self.places.get(&id).copied() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(place) {
            act(entry);
            self.settle(place);
        }
    }

    fn open(&mut self, opening: Opening) {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        let Some(way) = self.way(place, opening.sockets, &opening.settings) else {
            return self.vacant.push(place);
        };
        let port = Port::new(opening.settings, clock::now(), &mut self.random);
        let slot = self.detector.open();
        self.entries[place] = Some(Entry {
            id: opening.port,
            port,
            way,
            slot,
            pipes: opening.pipes,
            message: None,
            fork: None,
            armed: None,
            read_in: 0,
        });
        self.places.insert(opening.port, place);
        self.gauges.ports_opened();
        self.settle(place);
    }

    /// The way of a port that is opened at this place.
    fn way(&mut self, place: usize, sockets: Option<Pair>, settings: &Settings) -> Option<Way> {
        let pairing = settings.web.clone().zip(self.identity.as_deref());
        let web = pairing.map(|(it, own)| Box::new(Web::new(it, own, clock::now())));
        if let Some(pair) = sockets {
            let watched = self.watch.add(&pair.rtp, place * 2);
            let watched = watched.and_then(|()| self.watch.add(&pair.rtcp, place * 2 + 1));
            if let Err(why) = watched {
                tracing::error!(%why, "a port could not be watched");
                return None;
            }
            return Some(Way::Own(pair, web));
        }
        let (web, entrance) = (web?, self.entrance.as_mut()?);
        entrance.name(place, web.name());
        Some(Way::Browser(web))
    }

    fn close(&mut self, id: PortId) {
        let Some(place) = self.places.remove(&id) else { return };
        if let Some(Some(entry)) = self.entries.get_mut(place) {
            entry.port.close(clock::now());
        }
        self.settle(place);
        let Some(entry) = self.entries.get_mut(place).and_then(Option::take) else { return };
        self.vacant.push(place);
        self.detector.close(entry.slot);
        self.windows.retain(|(at, _, _)| *at != place);
        match (entry.way, &mut self.entrance) {
            (Way::Own(pair, _), _) => {
                self.watch.remove(&pair.rtp);
                self.watch.remove(&pair.rtcp);
            }
            (Way::Browser(_), Some(entrance)) => entrance.left(place),
            (Way::Browser(_), None) => {}
        }
        self.gauges.ports_closed();
    }

    fn tick(&mut self) {
        let now = clock::now();
        while let Some(Reverse((at, place))) = self.wheel.peek().copied() {
            if at > now {
                return;
            }
            self.wheel.pop();
            let Some(Some(entry)) = self.entries.get_mut(place) else { continue };
            // An entry of the wheel that was overtaken by a later arming is nothing.
            if entry.armed != Some(at) {
                continue;
            }
            entry.armed = None;
            self.gauges.woke(clock::now().saturating_duration_since(at));
            entry.tick(self.entrance.as_ref());
            self.settle(place);
        }
    }

    /// Carries out what a port wants, and what the ports want that it passes something to.
    fn settle(&mut self, place: usize) {
        self.settle_one(place);
        // Whoever takes something sends it and passes nothing on: this ends.
        while let Some((from, to, passage)) = self.passages.pop_front() {
            let Some(place) = self.places.get(&to).copied() else { continue };
            if let Some(Some(entry)) = self.entries.get_mut(place) {
                entry.port.take(clock::now(), from, &passage);
            }
            self.settle_one(place);
        }
    }

    /// Carries out what a port wants, and arms it again.
    fn settle_one(&mut self, place: usize) {
        let Some(Some(entry)) = self.entries.get_mut(place) else { return };
        while let Some(output) = entry.port.poll() {
            match output {
                // A full socket buffer loses a packet, as the network might.
                Output::SendRtp { to, bytes } => {
                    let socket = match &entry.way {
                        Way::Own(own, _) => Some(&own.rtp),
                        Way::Browser(_) => self.entrance.as_ref().map(Entrance::socket),
                    };
                    socket.and_then(|it| it.send_to(&bytes, to).ok());
                }
                // A browser's goes the way of its voice (RFC 5761).
                Output::SendRtcp { to, bytes } => {
                    if let Way::Own(own, _) = &entry.way {
                        own.rtcp.send_to(&bytes, to).ok();
                    }
                }
                Output::Heard(frame) => {
                    if let Some(track) = &entry.message {
                        track.hear(frame.clone());
                    }
                    if entry.pipes.heard.try_send(frame).is_err() {
                        self.gauges.frame_unheard();
                    }
                }
                Output::Window(window) => {
                    self.windows.push((place, entry.slot, window));
                    self.windows_since.get_or_insert_with(clock::now);
                }
                Output::Recorded { caller, agent } => {
                    if !entry.record(caller, agent) {
                        self.gauges.frame_unheard();
                    }
                }
                Output::Pass { to, passage } => {
                    self.passages.push_back((entry.id, to, passage));
                }
                Output::Event(event) => {
                    if entry.pipes.mailbox.post(Input::Media(entry.id, event)).is_err() {
                        self.gauges.fact_undelivered();
                    }
                }
            }
        }
        let deadline = entry.deadline();
        if let Some(at) = deadline
            && entry.armed != deadline
        {
            self.wheel.push(Reverse((at, place)));
        }
        entry.armed = deadline;
    }

    /// Asks the detector about the windows of all ports in one batch, when enough wait or the
    /// first has waited long enough.
    fn detect(&mut self) {
        let Some(since) = self.windows_since else { return };
        let open = self.places.len();
        let waited = clock::now().saturating_duration_since(since) >= GATHER;
        // A few ports gain nothing by waiting for company.
        if !waited && open > 4 && self.windows.len() < open / 4 {
            return;
        }
        self.windows_since = None;
        let mut rest = std::mem::take(&mut self.windows);
        while !rest.is_empty() {
            // A slot may stand in a batch once: a port's second window waits for the next one.
            let (mut batch, mut later) = (Vec::with_capacity(rest.len()), Vec::new());
            for waiting in rest {
                let twice =
                    batch.iter().any(|(place, _, _): &(usize, Slot, Window)| *place == waiting.0);
                if twice { later.push(waiting) } else { batch.push(waiting) }
            }
            let windows: Vec<(Slot, &[f32; crate::media::event::WINDOW])> =
                batch.iter().map(|(_, slot, window)| (*slot, &**window)).collect();
            self.probabilities.clear();
            self.detector.detect(&windows, &mut self.probabilities);
            let probabilities = std::mem::take(&mut self.probabilities);
            for ((place, _, _), probability) in batch.iter().zip(&probabilities) {
                if let Some(Some(entry)) = self.entries.get_mut(*place) {
                    entry.port.hear(clock::now(), *probability);
                }
                self.settle(*place);
            }
            self.probabilities = probabilities;
            rest = later;
        }
    }
}

/// Has the kernel wake this thread on time and before others. Where it may not, audio still comes
/// on time as long as the machine is not full.
fn hurry() {
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
    if rustix::process::setpriority_process(None, NICENESS).is_err() {
        tracing::debug!("the media thread has no more right to a core than others");
    }
}

/// How many datagrams of a busy socket are read in a row.
const BATCH: usize = 32;

/// How many of the socket to which all browsers come.
const CROWDED: usize = 128;

/// The token of that socket; no place is so high.
const ENTRANCE: usize = usize::MAX - 1;

/// So many ports are a crowd.
const CROWD: usize = 16;

/// How often a crowd is looked after.
const EACH: Duration = Duration::from_millis(1);

/// Before everybody else's.
const NICENESS: i32 = -11;

/// How long windows wait for the windows of other calls.
const GATHER: Duration = Duration::from_millis(4);
