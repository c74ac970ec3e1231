//! Somebody who brings a call without SIP and RTP: who has the line there, and in which words.

use std::future::Future;

use crate::audio::frame::{Frame, Rate};

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Samples.
    Sound(Frame),
    /// A key was pressed there.
    Key(char),
}

/// Why nobody is there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// They hung up.
    HungUp,
    /// What came made no sense, or nothing could be sent.
    Broken(&'static str),
}

/// The other end of a connection that carries one call.
pub trait Peer: Send {
    /// The rate of what is said and heard there.
    fn rate(&self) -> Rate;

    /// What is said next. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When nobody is there any more.
    fn receive(&mut self) -> impl Future<Output = Result<Said, Gone>> + Send;

    /// Lets them hear samples at that rate.
    ///
    /// # Errors
    /// When nobody takes them.
    fn sound(&mut self, samples: &[i16]) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Lets them hear a key.
    ///
    /// # Errors
    /// When nobody takes it.
    fn key(&mut self, key: char) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Hangs up.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}
