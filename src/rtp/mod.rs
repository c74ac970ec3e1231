//! RTP (RFC 3550): packets, sequence, reception, SRTP, ICE-lite, telephone events, RTCP and its extended
//! reports, statistics, the E-model.

pub mod bursts;
pub mod emodel;
pub mod ice;
pub mod packet;
pub mod rtcp;
pub mod sequence;
pub mod session;
pub mod srtp;
pub mod stats;
pub mod stun;
pub mod telephone_event;
pub mod xr;
