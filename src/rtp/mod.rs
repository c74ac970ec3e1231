//! RTP (RFC 3550): packets, sequence, reception, telephone events, RTCP, statistics.
