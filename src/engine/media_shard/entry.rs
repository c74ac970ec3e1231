//! An open port, with its way to its peer and its pipes to those who work for its call.

use std::time::{Duration, Instant};

use crate::audio::frame::Frame;
use crate::engine::audio_streams::tap::Tap;
use crate::engine::clock;
use crate::engine::media_shard::order::{Pipes, PortId, Spoken};
use crate::engine::recorder::Track;
use crate::engine::web::entrance::Entrance;
use crate::engine::web::{Around, Web};
use crate::media::event::Command;
use crate::media::port::Port;
use crate::net::ports::Pair;
use crate::providers::detector::Slot;

/// One open port.
pub struct Entry {
    /// Its identity.
    pub id: PortId,
    /// What speaks and hears.
    pub port: Port,
    /// Its way to the peer.
    pub way: Way,
    /// Its place at the detector of speech.
    pub slot: Slot,
    /// Those who work for its call.
    pub pipes: Pipes,
    /// A message that the caller leaves.
    pub message: Option<Box<Track>>,
    /// Who listens, too.
    pub fork: Option<Box<Tap>>,
    /// When it is woken.
    pub armed: Option<Instant>,
    /// The round in which one of its sockets was read last.
    pub read_in: u64,
}

/// By which way the packets of a port come and go.
pub enum Way {
    /// Sockets of its own; at the other end there may be a browser, where nobody expected one.
    Own(Pair, Option<Box<Web>>),
    /// The socket of all browsers.
    Browser(Box<Web>),
}

impl Way {
    /// How a browser is reached, if there is one.
    pub fn web(&mut self) -> Option<&mut Web> {
        match self {
            Self::Own(_, web) => web.as_deref_mut(),
            Self::Browser(web) => Some(web),
        }
    }
}

impl Entry {
    /// Does what is due, and takes what is to be played next.
    pub fn tick(&mut self, entrance: Option<&Entrance>) {
        let reached = match (&mut self.way, entrance) {
            (Way::Own(own, Some(web)), _) => Some((web, &own.rtp)),
            (Way::Browser(web), Some(entrance)) => Some((web, entrance.socket())),
            (Way::Own(_, None), _) | (Way::Browser(_), None) => None,
        };
        if let Some((web, socket)) = reached {
            web.tick(clock::now(), Around { port: &mut self.port, socket });
        }
        self.port.tick(clock::now());
        feed(self);
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let due = match &self.way {
            Way::Own(_, web) => web.as_ref().and_then(|web| web.deadline()),
            Way::Browser(web) => web.deadline(),
        };
        self.port.deadline().into_iter().chain(due).min()
    }

    /// Gives what both sides said to the recording and to whoever listens; false when that one
    /// misses it.
    pub fn record(&self, caller: Frame, agent: Frame) -> bool {
        let Some(track) = &self.pipes.recording else {
            return self.fork.as_ref().is_none_or(|fork| fork.give(caller, agent));
        };
        let fork = self.fork.as_ref();
        let is_heard = fork.is_none_or(|fork| fork.give(caller.clone(), agent.clone()));
        track.add(caller, agent);
        is_heard
    }
}

/// Moves what stands in the ring into the port, so that the port holds at most a second.
pub fn feed(entry: &mut Entry) {
    while entry.port.queued() < AHEAD {
        let Ok(spoken) = entry.pipes.spoken.pop() else { return };
        let command = match spoken {
            Spoken::Frame(utterance, frame) => Command::Play { utterance, frame },
            Spoken::Finish(utterance) => Command::Finish { utterance },
        };
        entry.port.handle(clock::now(), command);
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {}", self.id)
    }
}

/// How much a port holds ahead of what it plays.
const AHEAD: Duration = Duration::from_millis(400);
