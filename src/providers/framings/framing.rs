//! What goes over an audio WebSocket, whatever its form: the seam behind which the forms stand.

use std::collections::BTreeMap;

use tokio_tungstenite::tungstenite::Message;

use crate::audio::frame::{Frame, Rate};
use crate::providers::websocket::Received;

/// What is told when a stream begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The call.
    pub call: String,
    /// 32 hexadecimal digits for this stream, and no other.
    pub stream: String,
    /// 32 hexadecimal digits for the call.
    pub call_digits: String,
    /// The account in whose name we speak, if the other side wants to know one.
    pub account: String,
    /// Who calls. Personal data.
    pub from: String,
    /// Whom.
    pub to: String,
    /// What the operator wants told, by name.
    pub parameters: BTreeMap<String, String>,
    /// Whether both sides of the call are sent, or only the caller.
    pub both: bool,
}

/// What somebody said over a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The caller is to hear this, behind everything that waits.
    Sound(Frame),
    /// Tell when everything before was heard.
    Mark(String),
    /// Nothing of what waits is to be heard.
    Clear,
    /// The caller is to be sent these keys.
    Keys(String),
    /// It is done with the call.
    HangUp,
}

/// A message that does not keep to the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense;

/// A way of framing, at work on one stream.
pub trait Framing: Send {
    /// The rate of what we send.
    fn rate(&self) -> Rate;

    /// What is sent first.
    fn begin(&mut self, start: &Start, out: &mut Vec<Message>);

    /// The next samples of the caller and, on a stream of both, as many of what it heard.
    fn sound(&mut self, caller: &[i16], ours: Option<&[i16]>, out: &mut Vec<Message>);

    /// The caller pressed a key.
    fn key(&mut self, key: char) -> Option<Message>;

    /// Everything before a mark was heard, or will never be.
    fn marked(&mut self, name: &str) -> Option<Message>;

    /// What is sent last.
    fn end(&mut self) -> Option<Message>;

    /// Reads a message.
    ///
    /// # Errors
    /// When it does not keep to the form; what it held is lost.
    fn read(&mut self, message: &Received) -> Result<Option<Said>, Nonsense>;
}

/// The longest name of a mark, in octets.
pub(super) const LONGEST_MARK: usize = 256;
