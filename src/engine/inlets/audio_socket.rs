//! AudioSocket, as Asterisk has it: it connects to us by TCP, one connection for each call. A frame is
//! an octet for its kind, two for its length and what it carries.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::audio::frame::{Frame, Rate};
use crate::engine::inlets::peer::{Gone, Peer, Said};

/// A connection whose call is known.
#[derive(Debug)]
pub struct AudioSocket {
    stream: TcpStream,
    frames: Frames,
    call: Uuid,
    /// The rate of its samples, and the kind of frame that says so.
    rate: (Rate, u8),
    /// What was heard while the rate was waited for.
    early: Option<Said>,
}

/// What is read of a stream.
#[derive(Debug, Default)]
struct Frames {
    octets: BytesMut,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    HangUp,
    Call(Uuid),
    Key(char),
    Sound(Frame),
    Failure,
    /// A kind that a later version has.
    Other,
}

impl AudioSocket {
    /// Waits until a connection has said which call it is, and in which rate it speaks.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn open(stream: TcpStream) -> Result<Self, Gone> {
        stream.set_nodelay(true).ok();
        let nobody = Uuid::nil();
        let mut socket = Self {
            stream,
            frames: Frames::default(),
            call: nobody,
            rate: (Rate::NARROW, SOUND),
            early: None,
        };
        let first = timeout(KNOWN_WITHIN, socket.piece()).await;
        match first.map_err(|_| Gone::Broken("it does not say which call it is"))?? {
            Piece::Call(call) => socket.call = call,
            _ => return Err(Gone::Broken("its first frame is no identity")),
        }
        // Without a sound it speaks as Asterisk did from the beginning.
        if let Ok(said) = timeout(HEARD_WITHIN, socket.receive()).await {
            let said = said?;
            if let Said::Sound(frame) = &said {
                socket.rate = (frame.rate, kind_of(frame.rate));
            }
            socket.early = Some(said);
        }
        Ok(socket)
    }

    /// The identity that the dialplan of the PBX gave to the call.
    pub fn call(&self) -> Uuid {
        self.call
    }

    async fn piece(&mut self) -> Result<Piece, Gone> {
        loop {
            if let Some(piece) = self.frames.next()? {
                return Ok(piece);
            }
            match self.stream.read_buf(&mut self.frames.octets).await {
                Ok(0) => return Err(Gone::HungUp),
                Ok(_) => {}
                Err(_) => return Err(Gone::Broken("the connection broke")),
            }
        }
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<(), Gone> {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.push(kind);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(payload);
        match timeout(TAKEN_WITHIN, self.stream.write_all(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone::HungUp),
            Err(_) => Err(Gone::Broken("it takes nothing any more")),
        }
    }
}

impl Peer for AudioSocket {
    fn rate(&self) -> Rate {
        self.rate.0
    }

    async fn receive(&mut self) -> Result<Said, Gone> {
        if let Some(said) = self.early.take() {
            return Ok(said);
        }
        loop {
            match self.piece().await? {
                Piece::Sound(frame) => return Ok(Said::Sound(frame)),
                Piece::Key(key) => return Ok(Said::Key(key)),
                Piece::HangUp => return Err(Gone::HungUp),
                Piece::Failure => return Err(Gone::Broken("it says that it failed")),
                Piece::Call(_) => return Err(Gone::Broken("it says twice which call it is")),
                Piece::Other => {}
            }
        }
    }

    async fn sound(&mut self, samples: &[i16]) -> Result<(), Gone> {
        let kind = self.rate.1;
        for piece in samples.chunks(usize::from(u16::MAX) / 2) {
            let octets: Vec<u8> = piece.iter().flat_map(|it| it.to_le_bytes()).collect();
            self.send(kind, &octets).await?;
        }
        Ok(())
    }

    async fn key(&mut self, key: char) -> Result<(), Gone> {
        let mut octets = [0; 4];
        self.send(KEY, key.encode_utf8(&mut octets).as_bytes()).await
    }

    async fn end(&mut self) {
        // Who is gone needs no word.
        self.send(HANG_UP, &[]).await.ok();
        self.stream.shutdown().await.ok();
    }
}

impl Frames {
    /// The next whole frame.
    fn next(&mut self) -> Result<Option<Piece>, Gone> {
        let Some((&[kind, high, low], rest)) = self.octets.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if rest.len() < length {
            return Ok(None);
        }
        self.octets.advance(HEAD);
        let payload = self.octets.split_to(length);
        Ok(Some(match kind {
            HANG_UP => Piece::HangUp,
            IDENTITY => {
                let call = Uuid::from_slice(&payload);
                Piece::Call(call.map_err(|_| Gone::Broken("its identity is no UUID"))?)
            }
            KEY => match payload.as_ref() {
                [key] if KEYS.contains(key) => Piece::Key(char::from(*key).to_ascii_uppercase()),
                _ => return Err(Gone::Broken("it pressed what is no key")),
            },
            FAILURE => Piece::Failure,
            kind => match rate_of(kind) {
                Some(rate) => {
                    let (pairs, half) = payload.as_chunks::<2>();
                    if !half.is_empty() {
                        return Err(Gone::Broken("it sent half a sample"));
                    }
                    let samples = pairs.iter().map(|it| i16::from_le_bytes(*it)).collect();
                    Piece::Sound(Frame::new(rate, samples))
                }
                None => Piece::Other,
            },
        }))
    }
}

/// The rate of samples in frames of a kind.
fn rate_of(kind: u8) -> Option<Rate> {
    let place = kind.checked_sub(SOUND)?;
    RATES.get(usize::from(place)).map(|rate| Rate(*rate))
}

fn kind_of(rate: Rate) -> u8 {
    let place = RATES.iter().position(|known| *known == rate.0).unwrap_or_default();
    SOUND.saturating_add(u8::try_from(place).unwrap_or_default())
}

const HANG_UP: u8 = 0x00;

const IDENTITY: u8 = 0x01;

const KEY: u8 = 0x03;

/// Signed samples of 16 bits, low octet first, at 8 kHz; the kinds behind it have the other rates.
const SOUND: u8 = 0x10;

const FAILURE: u8 = 0xff;

/// The rates of sounds, by kind.
const RATES: [u32; 9] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

const KEYS: &[u8] = b"0123456789*#ABCDabcd";

/// The octets before what a frame carries.
const HEAD: usize = 3;

/// How long a connection may take to say which call it is.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// How long its first sound is waited for.
const HEARD_WITHIN: Duration = Duration::from_millis(300);

/// How long a frame may take to be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<Vec<Piece>, Gone> {
        let mut frames = Frames { octets: octets.into() };
        let mut pieces = Vec::new();
        while let Some(piece) = frames.next()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn frames_are_read_by_their_table() {
        let call = Uuid::from_u128(0x4032_5ec2_5efd_4bd3_805f_5357_6e58_1d13);
        let mut octets = vec![IDENTITY, 0, 16];
        octets.extend_from_slice(call.as_bytes());
        octets.extend_from_slice(&[KEY, 0, 1, b'#', SOUND, 0, 4, 1, 0, 0xff, 0xff]);
        octets.extend_from_slice(&[0x12, 0, 2, 0, 0x80, 0x42, 0, 1, 7, HANG_UP, 0, 0]);
        let expected = [
            Piece::Call(call),
            Piece::Key('#'),
            Piece::Sound(Frame::new(Rate(8_000), vec![1, -1])),
            Piece::Sound(Frame::new(Rate(16_000), vec![-32_768])),
            Piece::Other,
            Piece::HangUp,
        ];
        assert_eq!(read(&octets), Ok(expected.to_vec()));
        // Wherever it is cut, nothing is made up.
        for end in 0..octets.len() {
            let pieces = read(&octets[..end]).expect("frames");
            assert_eq!(pieces, expected[..pieces.len()]);
        }
        for wrong in [&[IDENTITY, 0, 1, 0][..], &[KEY, 0, 1, b'x'], &[KEY, 0, 0], &[SOUND, 0, 1, 0]]
        {
            assert!(matches!(read(wrong), Err(Gone::Broken(_))), "{wrong:?}");
        }
        assert_eq!(kind_of(Rate(16_000)), 0x12);
    }
}
