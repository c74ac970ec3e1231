//! What a media shard is ordered.

use tokio::sync::mpsc;

use crate::audio::frame::Frame;
pub use crate::base::id::PortId;
use crate::engine::audio_streams::tap::Tap;
use crate::engine::mailbox::Mailbox;
use crate::engine::recorder::Track;
use crate::media::event::{Command, Settings, UtteranceId};
use crate::net::ports::Pair;

/// What a shard is ordered.
#[derive(Debug)]
pub enum Order {
    /// Open a port.
    Open(Box<Opening>),
    /// Something for a port.
    Command(PortId, Command),
    /// New audio stands in a port's spoken ring.
    Feed(PortId),
    /// What the caller says at a port is heard here from now on, and nowhere else.
    Hear(PortId, mpsc::Sender<Frame>),
    /// What is said at a port goes here, too, or to nobody any more.
    Fork(PortId, Option<Box<Tap>>),
    /// What the caller says at a port goes into this recording, too, or into none any more.
    TakeDown(PortId, Option<Box<Track>>),
    /// Close a port; its quality is told last.
    Close(PortId),
}

/// What a port is opened with.
#[derive(Debug)]
pub struct Opening {
    /// Its identity.
    pub port: PortId,
    /// Its sockets; a browser comes by the entrance.
    pub sockets: Option<Pair>,
    /// What was agreed.
    pub settings: Settings,
    /// Where its facts and its audio go.
    pub pipes: Pipes,
}

/// Where a port's facts and its audio go, and where what it plays comes from.
#[derive(Debug)]
pub struct Pipes {
    /// The call.
    pub mailbox: Mailbox,
    /// Who listens: 2 s; full: the frame is lost to the listener.
    pub heard: mpsc::Sender<Frame>,
    /// What is to be played, at most 1 s ahead.
    pub spoken: rtrb::Consumer<Spoken>,
    /// The recording, if there is one.
    pub recording: Option<Track>,
}

/// What stands in a spoken ring.
#[derive(Debug)]
pub enum Spoken {
    /// 20 ms or less of an utterance.
    Frame(UtteranceId, Frame),
    /// The end of an utterance.
    Finish(UtteranceId),
}
