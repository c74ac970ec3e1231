//! SRTP and SRTCP (RFC 3711, RFC 7714): the packets of one direction, hidden and proven, in place
//! and without allocation. What is not authentic is refused, counted by whoever asked, and changes
//! nothing here.

mod block;
mod cipher;
mod derivation;
pub(in crate::rtp) mod mac;
mod refused;
mod window;

use self::cipher::Cipher;
pub use self::refused::Refused;
use self::window::Window;
use super::packet::{self, FIXED};
use crate::base::master_key::{Master, Mki, Suite};

/// Hides what we send.
#[derive(Debug)]
pub struct Protector {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    /// Our source and the index of the last packet; a changed key does not reset it
    /// (RFC 3711 3.3.1).
    last: Option<(u32, u64)>,
    /// The index of the next SRTCP packet.
    next_report: u32,
}

/// Opens what we receive.
#[derive(Debug)]
pub struct Unprotector {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    mki: Mki,
    /// The one heard last stands last.
    streams: Vec<Stream>,
}

/// What was received of one source.
#[derive(Debug, Clone)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// Where the peer's numbers stood when the key changed. Nothing under the new key has come
    /// since: it goes on there, as RFC 3711 3.3.1 says, or begins anew, as many do.
    resumes: Option<u64>,
}

impl Protector {
    /// Begins with a key.
    pub fn new(master: &Master) -> Self {
        let (rtp, rtcp) = ciphers(master);
        Self { suite: master.suite(), rtp, rtcp, last: None, next_report: 0 }
    }

    /// Goes on with another key where this one stands.
    #[must_use]
    pub fn rekeyed(&self, master: &Master) -> Self {
        Self { last: self.last, ..Self::new(master) }
    }

    /// Which suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Hides the payload of an RTP packet and appends the tag: `packet::MAX_TRAILER` octets at
    /// most, for
    /// which there should be room.
    ///
    /// # Errors
    /// When it is no RTP packet, or the key is used up: it must not be sent.
    pub fn protect(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        let (begin, sequence, ssrc) = head(packet)?;
        let last = self.last.filter(|(known, _)| *known == ssrc);
        let index = match last {
            None => u64::from(sequence),
            Some((_, last)) => window::guess(last, sequence).ok_or(Refused::Replayed)?,
        };
        if index > LAST_PACKET {
            return Err(Refused::Exhausted);
        }
        self.last = Some((ssrc, last.map_or(index, |(_, last)| last.max(index))));
        self.rtp.seal_rtp((ssrc, index), begin, packet);
        Ok(())
    }

    /// Hides an RTCP packet behind its first eight octets and appends index and tag.
    ///
    /// # Errors
    /// When it is no RTCP packet, or the key is used up: it must not be sent.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), Refused> {
        let ssrc = report_head(packet)?;
        if self.next_report > LAST_REPORT {
            return Err(Refused::Exhausted);
        }
        let index = self.next_report;
        self.next_report += 1;
        self.rtcp.seal_rtcp((ssrc, index), packet);
        Ok(())
    }
}

impl Unprotector {
    /// Begins with a key.
    pub fn new(master: &Master) -> Self {
        let (rtp, rtcp) = ciphers(master);
        let (suite, mki) = (master.suite(), master.mki().clone());
        Self { suite, rtp, rtcp, mki, streams: Vec::with_capacity(MAX_STREAMS) }
    }

    /// Takes another key; the numbers of the streams go on.
    #[must_use]
    pub fn rekeyed(&self, master: &Master) -> Self {
        let mut new = Self::new(master);
        new.streams.extend(self.streams.iter().map(|stream| Stream {
            resumes: stream.rtp.highest().or(stream.resumes),
            ..Stream::new(stream.ssrc)
        }));
        new
    }

    /// Which suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Opens an SRTP packet in place; the RTP packet is the first so many octets. A packet that is
    /// refused is left as it came.
    ///
    /// # Errors
    /// When it is malformed, forged, or was here before.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let (begin, sequence, ssrc) = head(packet)?;
        let place = self.streams.iter().position(|stream| stream.ssrc == ssrc);
        let known = place.and_then(|place| self.streams.get(place));
        let fresh = Window::default();
        let window = known.map_or(&fresh, |stream| &stream.rtp);
        let guesses = match (window.highest(), known.and_then(|stream| stream.resumes)) {
            (Some(highest), _) => [window::guess(highest, sequence), None],
            (None, Some(last)) => [
                window::guess(last, sequence),
                Some(u64::from(sequence)).filter(|_| last >> 16 > 0),
            ],
            (None, None) => [Some(u64::from(sequence)), None],
        };
        let mut why = Refused::Replayed;
        for index in guesses.into_iter().flatten().filter(|index| *index <= LAST_PACKET) {
            if !window.is_new(index) {
                continue;
            }
            match self.rtp.open_rtp((ssrc, index), (begin, self.mki.octets()), packet) {
                Ok(length) => {
                    self.heard(place, ssrc).rtp.note(index);
                    return Ok(length);
                }
                Err(refused) => why = refused,
            }
        }
        Err(why)
    }

    /// Opens an SRTCP packet in place; the RTCP packet is the first so many octets.
    ///
    /// # Errors
    /// When it is malformed, forged, or was here before.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let ssrc = report_head(packet)?;
        let place = self.streams.iter().position(|stream| stream.ssrc == ssrc);
        let known = place.and_then(|place| self.streams.get(place));
        let (length, index) = self.rtcp.report_index(self.mki.octets().len(), packet)?;
        if known.is_some_and(|stream| !stream.rtcp.is_new(u64::from(index))) {
            return Err(Refused::Replayed);
        }
        self.rtcp.open_rtcp((ssrc, index), (length, self.mki.octets()), packet)?;
        self.heard(place, ssrc).rtcp.note(u64::from(index));
        Ok(length)
    }

    /// The stream of a source that proved itself; it is made where there is none. Of too many the
    /// one that was silent for longest is forgotten.
    fn heard(&mut self, place: Option<usize>, ssrc: u32) -> &mut Stream {
        let stream = match place {
            Some(place) => self.streams.remove(place),
            None => {
                if self.streams.len() == MAX_STREAMS {
                    self.streams.remove(0);
                }
                Stream::new(ssrc)
            }
        };
        self.streams.push(stream);
        self.streams.last_mut().expect("it was pushed just now")
    }
}

impl Stream {
    fn new(ssrc: u32) -> Self {
        Self { ssrc, rtp: Window::default(), rtcp: Window::default(), resumes: None }
    }
}

/// The ciphers of a master key for RTP and for RTCP.
fn ciphers(master: &Master) -> (Cipher, Cipher) {
    let keys = |kind| Cipher::new(master.suite(), &derivation::derive(master, kind));
    (keys(derivation::Kind::Rtp), keys(derivation::Kind::Rtcp))
}

/// Where the payload of an RTP packet begins, its sequence number and its source.
fn head(bytes: &[u8]) -> Result<(usize, u16, u32), Refused> {
    let begin = packet::payload_begin(bytes).ok_or(Refused::Malformed)?;
    let &[_, _, s0, s1, _, _, _, _, c0, c1, c2, c3] =
        bytes.first_chunk::<FIXED>().ok_or(Refused::Malformed)?;
    Ok((begin, u16::from_be_bytes([s0, s1]), u32::from_be_bytes([c0, c1, c2, c3])))
}

/// The source of an RTCP packet.
fn report_head(bytes: &[u8]) -> Result<u32, Refused> {
    let &[first, _, _, _, c0, c1, c2, c3] = bytes.first_chunk::<8>().ok_or(Refused::Malformed)?;
    if first >> 6 != 2 {
        return Err(Refused::Malformed);
    }
    Ok(u32::from_be_bytes([c0, c1, c2, c3]))
}

/// The most sources remembered.
const MAX_STREAMS: usize = 16;

/// 2^48 packets and 2^31 reports may have one key (RFC 3711 9.2).
const LAST_PACKET: u64 = (1 << 48) - 1;
const LAST_REPORT: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests;
