//! Why a session description is refused, in the words of SIP's Warning header.

/// A session description that we cannot take. SIP says 488 and `Warning` (RFC 3261 20.43).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// The warning code.
    pub warning: u16,
    /// One sentence in fixed words: nothing of the peer's is repeated to it.
    pub text: &'static str,
}

impl Refusal {
    /// The body is no session description, or breaks a limit.
    pub const MALFORMED: Self = Self::new(399, "The session description is malformed");
    /// The body is longer or holds more than we read.
    pub const TOO_LARGE: Self = Self::new(399, "The session description is too large");
    /// The answer does not fit the offer.
    pub const NO_ANSWER: Self = Self::new(399, "The answer does not match the offer");
    /// There is no audio to be had.
    pub const NO_AUDIO: Self = Self::new(304, "An active audio stream is needed");
    /// SRTP where it is off, DTLS where no browser is awaited, or something that we do not speak.
    pub const TRANSPORT: Self = Self::new(302, "Only RTP/AVP and RTP/AVPF are spoken here");
    /// Keys are wanted, and none of those offered can be taken.
    pub const KEYS: Self = Self::new(302, "SRTP is needed, with a suite that is taken here");
    /// A browser's line lacks what a session of WebRTC needs.
    pub const WEB: Self = Self::new(
        399,
        "WebRTC needs ice-ufrag, ice-pwd, rtcp-mux, a sha-256 fingerprint and the setup actpass or active",
    );
    /// Keys came by a way that others can read.
    pub const KEYS_IN_THE_OPEN: Self = Self::new(302, "SRTP keys are taken over TLS only");
    /// No codec is common to both.
    pub const CODEC: Self = Self::new(305, "No codec in common");
    /// The address is a name, or of a kind that we cannot send to.
    pub const ADDRESS: Self = Self::new(301, "A unicast IP address of our own family is needed");
    /// The address is a multicast group.
    pub const MULTICAST: Self = Self::new(330, "Multicast is not available");

    const fn new(warning: u16, text: &'static str) -> Self {
        Self { warning, text }
    }

    /// The value of a Warning header; `agent` is the host that warns.
    pub fn header(&self, agent: &str) -> String {
        format!("{} {agent} \"{}\"", self.warning, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_fits_a_warning_header() {
        let header = Refusal::CODEC.header("sip.example.com");
        assert_eq!(header, "305 sip.example.com \"No codec in common\"");
    }
}
