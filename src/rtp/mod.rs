//! RTP (RFC 3550): packets, sequence, reception, telephone events, RTCP, statistics.

pub mod packet;
pub mod rtcp;
pub mod sequence;
pub mod session;
pub mod stats;
pub mod telephone_event;
