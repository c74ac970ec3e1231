//! Calls that come without SIP: who brings them, in which words, and their voice at our own ports.

pub mod audio_socket;
pub mod peer;
pub mod talk;
pub mod twilio;
pub mod voice;
