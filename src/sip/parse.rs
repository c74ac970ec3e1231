//! From octets to a message: one pass, every limit before what it limits (RFC 3261 7, 18.3).
//!
//! Lines end with CRLF and nothing else. A lone CR or LF is refused, for another reader could see
//! another header behind it.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::fields::{FieldSpan, Fields, Span};
use super::header::{HeaderError, Name};
use super::lexer::{self, Class};
use super::message::{Message, Start};
use super::method::Method;

/// The longest message, in octets; also what UDP can carry.
pub const MOST_OCTETS: usize = 65_535;
/// The most header lines.
pub const MOST_HEADERS: usize = 200;
/// The longest header line with its folds, in octets; also the longest first line.
pub const LONGEST_HEADER: usize = 8_192;
/// The most Via values.
pub const MOST_VIAS: usize = 64;

impl Message {
    /// Reads a datagram: leading CRLFs are skipped, a body without Content-Length is the rest, and
    /// what stands behind the Content-Length is dropped (RFC 3261 18.3).
    ///
    /// # Errors
    /// Says what follows: nothing, or an answer to a request that could be read in part.
    pub fn parse_datagram(bytes: &Bytes) -> Result<Self, ParseError> {
        let head = Head::parse(bytes)?;
        let mut message = head.message;
        let flaw = head.flaw.or_else(|| match message.content_length() {
            Ok(Some(length)) if length > u64::from(head.rest.length()) => Some(Flaw::ShortBody),
            Ok(Some(length)) => {
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                message.body = Span { end: head.rest.start.saturating_add(length), ..head.rest };
                None
            }
            Ok(None) => {
                message.body = head.rest;
                None
            }
            Err(why) => Some(Flaw::Header(why)),
        });
        match flaw {
            None => Ok(message),
            Some(flaw) => Err(ParseError::from_flaw(flaw, message)),
        }
    }
}

/// Why a datagram is no message, and what follows from it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParseError {
    /// Nothing but CRLFs: a peer keeps its NAT open (RFC 5626 4.4.1). Nothing is answered.
    #[error("a keep-alive")]
    KeepAlive,
    /// A response, an ACK or rubbish: it is counted and dropped.
    #[error("dropped: {0}")]
    Dropped(Flaw),
    /// A request that may be answered without state, see `print::refuse`.
    #[error("refused: {}", .0.flaw)]
    Refused(Box<Refused>),
}

/// A request with a flaw.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What is wrong; it knows its status.
    pub flaw: Flaw,
    /// What could be read: the headers are there as far as they are lines, the body is not.
    pub message: Message,
}

impl ParseError {
    pub(super) fn from_flaw(flaw: Flaw, message: Message) -> Self {
        let looks_like_sip = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq]
            .iter()
            .any(|name| message.headers(*name).next().is_some());
        match message.method() {
            Some(Method::Ack) | None => Self::Dropped(flaw),
            Some(_) if looks_like_sip => Self::Refused(Box::new(Refused { flaw, message })),
            Some(_) => Self::Dropped(flaw),
        }
    }
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The first line is none.
    #[error("Malformed Start Line")]
    StartLine,
    /// The first line names another version of SIP.
    #[error("Version Not Supported")]
    Version,
    /// A line is no header.
    #[error("Malformed Header Line")]
    HeaderLine,
    /// A CR or LF stands alone.
    #[error("Stray Line Ending")]
    StrayLineEnd,
    /// The empty line after the headers is missing.
    #[error("Missing Empty Line")]
    NoEmptyLine,
    /// The Content-Length is more than what arrived.
    #[error("Content-Length Exceeds Message")]
    ShortBody,
    /// A header that frames the message is missing, repeated or malformed.
    #[error("{0}")]
    Header(HeaderError),
    /// The message is longer than [`MOST_OCTETS`].
    #[error("Message Too Large")]
    TooLarge,
    /// There are more than [`MOST_HEADERS`] header lines.
    #[error("Too Many Headers")]
    TooManyHeaders,
    /// A line is longer than [`LONGEST_HEADER`].
    #[error("Header Too Long")]
    LongHeader,
    /// There are more than [`MOST_VIAS`] Via values.
    #[error("Too Many Via Values")]
    TooManyVias,
}

impl Flaw {
    /// The status that answers it; the phrase is its `Display`.
    pub fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooLarge | Self::TooManyHeaders | Self::LongHeader => 513,
            Self::StartLine
            | Self::HeaderLine
            | Self::StrayLineEnd
            | Self::NoEmptyLine
            | Self::ShortBody
            | Self::Header(_)
            | Self::TooManyVias => 400,
        }
    }
}

/// Everything before the body, and the first flaw in it.
pub(super) struct Head {
    pub(super) message: Message,
    pub(super) flaw: Option<Flaw>,
    /// What follows the empty line.
    pub(super) rest: Span,
}

impl Head {
    /// Reads the first line and the headers. A bad line does not end the reading, so that as much
    /// as possible of the request can be answered; a limit does.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        let mut lines = Lines { bytes, at: 0 };
        if bytes.len() > MOST_OCTETS {
            return Err(ParseError::Dropped(Flaw::TooLarge));
        }
        while bytes.get(lines.at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            lines.at = lines.at.saturating_add(2);
        }
        let Some(first) = lines.next() else { return Err(ParseError::KeepAlive) };
        if first.length() > LONGEST_HEADER {
            return Err(ParseError::Dropped(Flaw::LongHeader));
        }
        let (start, start_flaw) = start_line(bytes, &first).map_err(ParseError::Dropped)?;
        let message =
            Message { bytes: bytes.clone(), start, fields: Fields::new(), body: Span::default() };
        let mut head = Self { message, flaw: start_flaw, rest: Span::default() };
        head.note(first.flaw());
        head.read_fields(&mut lines);
        Ok(head)
    }

    #[inline(never)]
    fn read_fields(&mut self, lines: &mut Lines<'_>) {
        let mut vias = 0_usize;
        loop {
            let Some(line) = lines.next_unfolded() else {
                return self.note(Some(Flaw::NoEmptyLine));
            };
            if line.length() == 0 {
                self.rest = Span::new(lines.at, lines.bytes.len());
                return self.note(line.flaw());
            }
            if line.length() > LONGEST_HEADER {
                return self.note(Some(Flaw::LongHeader));
            }
            if self.message.fields.len() >= MOST_HEADERS {
                return self.note(Some(Flaw::TooManyHeaders));
            }
            if let Some(flaw) = line.flaw() {
                self.note(Some(flaw));
            }
            if line.has_stray {
                // Not even an answer may carry it on.
                continue;
            }
            let Some(field) = field(lines.bytes, &line) else {
                self.note(Some(Flaw::HeaderLine));
                continue;
            };
            if field.name == Name::Via {
                let value = field.value.of(lines.bytes);
                vias = vias.saturating_add(lexer::Split::new(value, b',').count());
            }
            if vias > MOST_VIAS {
                return self.note(Some(Flaw::TooManyVias));
            }
            self.message.fields.push(field);
        }
    }

    fn note(&mut self, flaw: Option<Flaw>) {
        self.flaw = self.flaw.or(flaw);
    }
}

/// Reads the lines of a message from left to right.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One line without its CRLF.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    is_terminated: bool,
    has_stray: bool,
}

impl Line {
    fn length(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    fn flaw(&self) -> Option<Flaw> {
        if self.has_stray {
            Some(Flaw::StrayLineEnd)
        } else if self.is_terminated {
            None
        } else {
            Some(Flaw::NoEmptyLine)
        }
    }
}

impl Lines<'_> {
    #[inline]
    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let mut at = start;
        let mut has_stray = false;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let end = at.wrapping_add(lexer::line_length(rest));
            match self.bytes.get(end..) {
                Some([b'\r', b'\n', ..]) => {
                    self.at = end.wrapping_add(2);
                    return Some(Line { start, end, is_terminated: true, has_stray });
                }
                Some([_, ..]) => {}
                Some([]) | None => {
                    self.at = self.bytes.len();
                    return Some(Line { start, end: self.at, is_terminated: false, has_stray });
                }
            }
            has_stray = true;
            at = end.wrapping_add(1);
        }
    }

    /// The next line with the lines that continue it (RFC 3261 7.3.1).
    fn next_unfolded(&mut self) -> Option<Line> {
        let mut line = self.next()?;
        while line.length() > 0 && matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            let more = self.next()?;
            line.end = more.end;
            line.is_terminated = more.is_terminated;
            line.has_stray |= more.has_stray;
        }
        Some(line)
    }
}

/// Reads the first line. What is a request but not well formed is returned with its flaw, so that
/// it can be answered; all else is an error.
fn start_line(bytes: &[u8], line: &Line) -> Result<(Start, Option<Flaw>), Flaw> {
    let text = bytes.get(line.start..line.end).unwrap_or_default();
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return Ok((status_line(text, line)?, None));
    }
    let method_end = text.iter().position(|byte| *byte == b' ').ok_or(Flaw::StartLine)?;
    let (method, rest) = text.split_at_checked(method_end).ok_or(Flaw::StartLine)?;
    let method = Method::from_token(method).ok_or(Flaw::StartLine)?;
    let rest = rest.get(1..).unwrap_or_default();
    let uri_length = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let (uri, version) = rest.split_at_checked(uri_length).ok_or(Flaw::StartLine)?;
    let flaw = match version.get(1..) {
        _ if uri.is_empty() || !lexer::is_text(uri) => Some(Flaw::StartLine),
        Some(version) if version.eq_ignore_ascii_case(VERSION) => None,
        Some(version) if is_version(version) => Some(Flaw::Version),
        Some(_) | None => Some(Flaw::StartLine),
    };
    let uri_start = line.start.saturating_add(method_end).saturating_add(1);
    let uri = Span::new(uri_start, uri_start.saturating_add(uri_length));
    Ok((Start::Request { method, uri }, flaw))
}

fn status_line(text: &[u8], line: &Line) -> Result<Start, Flaw> {
    let (version, rest) = text.split_at_checked(VERSION.len()).ok_or(Flaw::StartLine)?;
    if !version.eq_ignore_ascii_case(VERSION) {
        return Err(Flaw::Version);
    }
    let (code, reason) = match rest {
        [b' ', a, b, c] => ([*a, *b, *c], 4),
        [b' ', a, b, c, b' ', ..] => ([*a, *b, *c], 5),
        _ => return Err(Flaw::StartLine),
    };
    let status = lexer::number(&code).and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|code| (100..700).contains(code)).ok_or(Flaw::StartLine)?;
    let reason = line.start.saturating_add(VERSION.len()).saturating_add(reason);
    Ok(Start::Response { status, reason: Span::new(reason, line.end) })
}

const VERSION: &[u8] = b"SIP/2.0";

fn is_version(text: &[u8]) -> bool {
    let Some((name, number)) = text.split_at_checked(4) else { return false };
    let mut parts = number.split(|byte| *byte == b'.');
    let mut is_number = || parts.next().and_then(lexer::number).is_some();
    name.eq_ignore_ascii_case(b"SIP/") && is_number() && is_number()
}

/// Reads `name *SP ":" value`.
#[inline]
fn field(bytes: &[u8], line: &Line) -> Option<FieldSpan> {
    let text = bytes.get(line.start..line.end)?;
    let colon = lexer::find_near(text, b':')?;
    let (name, value) = (text.get(..colon)?, text.get(colon.saturating_add(1)..)?);
    let (name, known) = match Name::from_text(name) {
        Name::Other => {
            // Before the colon there is no fold.
            let name = lexer::trim_end_of(name, |byte| matches!(byte, b' ' | b'\t'));
            let is_token = !name.is_empty() && Class::TOKEN.has_all(name);
            is_token.then(|| (name, Name::from_text(name)))?
        }
        known => (name, known),
    };
    let value = lexer::trim_start(value);
    let start = line.end.wrapping_sub(value.len());
    let value = lexer::trim_end(value);
    Some(FieldSpan {
        name: known,
        text: Span::new(line.start, line.start.wrapping_add(name.len())),
        value: Span::new(start, start.wrapping_add(value.len())),
    })
}
