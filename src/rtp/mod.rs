//! RTP (RFC 3550): packets, sequence, reception, SRTP, telephone events, RTCP, statistics.

pub mod packet;
pub mod rtcp;
pub mod sequence;
pub mod session;
pub mod srtp;
pub mod stats;
pub mod telephone_event;
