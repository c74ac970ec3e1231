//! Messages in a stream of octets (TCP, TLS): each says its own length (RFC 3261 18.3).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::{Bytes, BytesMut};

use super::header::{HeaderError, Name};
use super::parse::{Flaw, Head, MOST_OCTETS, ParseError};

/// Cuts a stream into messages. However the stream is chopped, the messages are the same.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no empty line, so that no octet is read twice.
    searched: usize,
    /// How long the message is that stands at the front, once its head is there.
    length: Option<usize>,
    is_lost: bool,
}

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// One message, for `Message::parse_datagram`.
    Message(Bytes),
    /// A double CRLF: it is answered with one CRLF (RFC 5626 4.4.1).
    Ping,
}

impl Framer {
    /// Makes a framer for a stream that begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what arrived. Call [`Framer::poll`] until it gives nothing before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_lost {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether a message has begun and is not complete. Line ends alone are none.
    pub fn is_amid_message(&self) -> bool {
        self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Gives the next message that is complete.
    ///
    /// # Errors
    /// Once, when nobody can tell where the next message begins: the request may be answered, then
    /// the connection is to be closed.
    pub fn poll(&mut self) -> Option<Result<Piece, ParseError>> {
        if self.is_lost {
            return None;
        }
        if self.length.is_none()
            && let Some(ping) = self.skip_line_ends()
        {
            return Some(Ok(ping));
        }
        if self.length.is_none() {
            match self.measure()? {
                Ok(length) => self.length = Some(length),
                Err(why) => {
                    self.is_lost = true;
                    self.buffer = BytesMut::new();
                    return Some(Err(why));
                }
            }
        }
        let length = self.length.filter(|length| *length <= self.buffer.len())?;
        self.length = None;
        self.searched = 0;
        Some(Ok(Piece::Message(self.buffer.split_to(length).freeze())))
    }

    /// Line ends between messages mean nothing alone and are a ping in pairs. A CR or CRLF at the
    /// end waits for what follows.
    fn skip_line_ends(&mut self) -> Option<Piece> {
        loop {
            match self.buffer.get(..4).unwrap_or(&self.buffer) {
                b"\r\n\r\n" => {
                    drop(self.buffer.split_to(4));
                    return Some(Piece::Ping);
                }
                [b'\r', b'\n', b'\r'] | [b'\r', b'\n'] => return None,
                [b'\r', b'\n', ..] => drop(self.buffer.split_to(2)),
                _ => return None,
            }
        }
    }

    /// Tells the length of the message at the front; `None` until its head is complete.
    fn measure(&mut self) -> Option<Result<usize, ParseError>> {
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = unseen.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.searched = self.buffer.len().saturating_sub(3);
            let is_large = self.buffer.len() > MOST_OCTETS;
            return is_large.then_some(Err(ParseError::Dropped(Flaw::TooLarge)));
        };
        let end = self.searched.saturating_add(found).saturating_add(4);
        Some(self.length_behind(end))
    }

    fn length_behind(&self, head_end: usize) -> Result<usize, ParseError> {
        let head = Bytes::copy_from_slice(self.buffer.get(..head_end).unwrap_or_default());
        let head = Head::parse(&head)?;
        let flaw = match head.message.content_length() {
            // Behind a limit there may be another Content-Length that was not read.
            _ if head.rest.end == 0 => head.flaw.unwrap_or(Flaw::NoEmptyLine),
            Ok(Some(body)) => {
                let body = usize::try_from(body).unwrap_or(usize::MAX);
                let length = head_end.saturating_add(body);
                if length <= MOST_OCTETS {
                    return Ok(length);
                }
                Flaw::TooLarge
            }
            Ok(None) => Flaw::Header(HeaderError::Missing(Name::ContentLength)),
            Err(why) => Flaw::Header(why),
        };
        Err(ParseError::from_flaw(flaw, head.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nl: 4\r\n\r\n\r\n\r\n";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";

    fn cut(stream: &[u8], sizes: impl IntoIterator<Item = usize>) -> Vec<Option<Piece>> {
        let (mut framer, mut rest, mut pieces) = (Framer::new(), stream, Vec::new());
        for size in sizes.into_iter().chain([stream.len()]) {
            let (now, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            framer.push(now);
            while let Some(piece) = framer.poll() {
                pieces.push(piece.ok());
            }
        }
        pieces
    }

    fn message(bytes: &'static [u8]) -> Option<Piece> {
        Some(Piece::Message(Bytes::from_static(bytes)))
    }

    #[test]
    fn messages_and_pings_are_told_apart() {
        let stream = [b"\r\n\r\n\r\n", ONE, b"\r\n", TWO, b"\r\n\r\n", TWO].concat();
        let pieces = cut(&stream, []);
        let ping = Some(Piece::Ping);
        assert_eq!(pieces, [ping.clone(), message(ONE), message(TWO), ping, message(TWO)]);
    }

    #[test]
    fn a_stream_without_lengths_is_lost_and_says_so_once() {
        for lost in [
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n",
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nl: -1\r\n\r\n",
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nl: 1\r\nl: 2\r\n\r\n",
        ] {
            let mut framer = Framer::new();
            framer.push(lost.as_bytes());
            let Some(Err(ParseError::Refused(refused))) = framer.poll() else { panic!("{lost}") };
            assert_eq!(refused.flaw.status(), 400);
            framer.push(TWO);
            assert!(framer.poll().is_none());
        }
    }

    #[test]
    fn half_a_message_is_known_from_none() {
        let mut framer = Framer::new();
        for (part, is_amid) in [
            (b"\r\n".as_slice(), false),
            (b"\r\n", false),
            (ONE.split_at(20).0, true),
            (ONE.split_at(20).1, false),
        ] {
            framer.push(part);
            while framer.poll().is_some() {}
            assert_eq!(framer.is_amid_message(), is_amid, "{part:?}");
        }
    }

    #[test]
    fn nothing_grows_without_end() {
        let huge = b"OPTIONS sip:a SIP/2.0\r\nl: 99999999999999999999999\r\n\r\n";
        assert_eq!(cut(huge, []), [None]);
        assert_eq!(cut(&vec![b'x'; 70_000], [1_000; 70]), [None]);
        let many =
            [b"INVITE sip:a SIP/2.0\r\n".as_slice(), &b"a: b\r\n".repeat(300), b"l: 0\r\n\r\n"];
        assert_eq!(cut(&many.concat(), []), [None]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn however_a_stream_is_chopped_the_messages_are_the_same(
            sizes in prop::collection::vec(1..30_usize, 0..60),
            order in prop::collection::vec(0..5_usize, 1..8),
        ) {
            let parts: [&[u8]; 5] = [ONE, TWO, b"\r\n", b"\r\n\r\n", b"\r\n\r"];
            let stream: Vec<u8> = order.iter().filter_map(|part| parts.get(*part)).flat_map(|it| it.iter()).copied().collect();
            prop_assert_eq!(cut(&stream, sizes), cut(&stream, []));
        }
    }
}
