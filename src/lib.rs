//! voxtrunk: a self-hosted SIP/RTP media server with built-in AI voice agents.
//!
//! The lower half of the house is pure: no clock, socket, thread or file stands in it. The upper
//! half, the shell, is behind the feature `server`. `src/ARCHITECTURE.md` is the map.

// Floor 1: words, samples, descriptions.
pub mod audio;
pub mod base;
pub mod sdp;

// Floor 2: subjects that do not know each other.
pub mod agent;
pub mod dialplan;
pub mod rtp;
pub mod sip;

// Floor 3 and 4: the media of a leg, and the call.
pub mod call;
pub mod media;

// The shell.
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod engine;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod providers;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod store;
