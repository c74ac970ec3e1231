//! A SIP message: the octets as they came, where everything stands in them, and typed views that
//! read a header when somebody asks for it.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::address::NameAddr;
use super::fields::{FieldSpan, Fields, Span};
use super::header::{Field, HeaderError, Name};
use super::lexer::{self, Cursor};
use super::method::Method;
use super::params::Params;
use super::uri::{NotAUri, Uri};
use super::via::Via;

/// A request or response. A clone shares the octets. It is made by `parse`, and then every header
/// line is well formed; whether the values are is told by the views, or by `check` for all at once.
#[derive(Clone)]
pub struct Message {
    pub(super) bytes: Bytes,
    pub(super) start: Start,
    pub(super) fields: Fields,
    pub(super) body: Span,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// What is asked.
        method: &'a Method,
        /// The Request-URI as it stands: [`Message::request_uri`] reads it.
        uri: &'a str,
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
        /// The phrase, possibly empty.
        reason: Cow<'a, str>,
    },
}

#[derive(Debug, Clone)]
pub(super) enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

impl Message {
    /// The message as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The first line.
    pub fn start_line(&self) -> StartLine<'_> {
        match &self.start {
            Start::Request { method, uri } => {
                StartLine::Request { method, uri: lexer::proved(self.at(*uri)) }
            }
            Start::Response { status, reason } => {
                StartLine::Response { status: *status, reason: lexer::text(self.at(*reason)) }
            }
        }
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status of a response, 100 to 699.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// When it is no URI, or this is a response.
    pub fn request_uri(&self) -> Result<Uri<'_>, NotAUri> {
        match &self.start {
            Start::Request { uri, .. } => Uri::parse_octets(self.at(*uri)),
            Start::Response { .. } => Err(NotAUri),
        }
    }

    /// The body, shared with the message.
    pub fn body(&self) -> Bytes {
        self.bytes.slice_ref(self.at(self.body))
    }

    /// The body where it stands in the message.
    pub fn body_octets(&self) -> &[u8] {
        self.at(self.body)
    }

    /// Every header line in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|field| self.field(field))
    }

    /// The header lines of that name in order.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = Field<'_>> {
        self.fields.of(name).map(|field| self.field(field))
    }

    /// The first header line of a name that has no [`Name`], such as `X-Account`.
    pub fn named(&self, name: &str) -> Option<Field<'_>> {
        let known = Name::from_text(name.as_bytes());
        self.fields().find(|field| match known {
            Name::Other => field.name_text.eq_ignore_ascii_case(name.as_bytes()),
            _ => field.name == known,
        })
    }

    /// The comma-separated values of every line of that name, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.headers(name).flat_map(|field| field.values())
    }

    /// The one header line of that name.
    ///
    /// # Errors
    /// When there is none, or more than one: each reader could choose another one.
    pub fn single(&self, name: Name) -> Result<Field<'_>, HeaderError> {
        let mut fields = self.headers(name);
        let field = fields.next().ok_or(HeaderError::Missing(name))?;
        fields.next().is_none().then_some(field).ok_or(HeaderError::Repeated(name))
    }

    /// The first line of that name as text: for headers that are only shown or handed on.
    pub fn text(&self, name: Name) -> Option<Cow<'_, str>> {
        self.headers(name).next().map(|field| field.text())
    }

    fn field(&self, field: &FieldSpan) -> Field<'_> {
        Field { name: field.name, name_text: self.at(field.text), value: self.at(field.value) }
    }

    #[inline]
    fn at(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }
}

/// Typed views. Each reads its header anew; none of them remembers.
impl Message {
    /// Every Via from the top.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.values(Name::Via)
            .map(|value| Via::parse(value).ok_or(HeaderError::Malformed(Name::Via)))
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When there is none, or it breaks its grammar.
    pub fn top_via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias().next().unwrap_or(Err(HeaderError::Missing(Name::Via)))
    }

    /// Who sends the request.
    ///
    /// # Errors
    /// When it is missing, repeated or breaks its grammar.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.address(Name::From)
    }

    /// For whom the request was at first.
    ///
    /// # Errors
    /// As [`Message::from`].
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.address(Name::To)
    }

    /// The target of a REFER.
    ///
    /// # Errors
    /// As [`Message::from`].
    pub fn refer_to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.address(Name::ReferTo)
    }

    /// The Call-ID.
    ///
    /// # Errors
    /// When it is missing, repeated, empty or more than one word.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let value = self.single(Name::CallId)?.value;
        let fits = !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
        let text = fits.then(|| std::str::from_utf8(value).ok()).flatten();
        text.ok_or(HeaderError::Malformed(Name::CallId))
    }

    /// The CSeq.
    ///
    /// # Errors
    /// When it is missing, repeated, breaks its grammar or is 2^31 or more (RFC 3261 8.1.1.5).
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        CSeq::parse(self.single(Name::CSeq)?.value).ok_or(HeaderError::Malformed(Name::CSeq))
    }

    /// How many hops are left, when the header is there.
    ///
    /// # Errors
    /// When it is repeated or not 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        let Some(hops) = self.optional_number(Name::MaxForwards)? else { return Ok(None) };
        u8::try_from(hops).map(Some).map_err(|_| HeaderError::Malformed(Name::MaxForwards))
    }

    /// How long the body is said to be; lines that agree count as one.
    ///
    /// # Errors
    /// When a line is no number, or two lines differ.
    pub fn content_length(&self) -> Result<Option<u64>, HeaderError> {
        let mut said = None;
        for field in self.headers(Name::ContentLength) {
            let length =
                lexer::number(field.value).ok_or(HeaderError::Malformed(Name::ContentLength))?;
            if *said.get_or_insert(length) != length {
                return Err(HeaderError::Repeated(Name::ContentLength));
            }
        }
        Ok(said)
    }

    /// What the body is, when the header is there.
    ///
    /// # Errors
    /// When it is repeated or breaks its grammar.
    pub fn content_type(&self) -> Result<Option<ContentType<'_>>, HeaderError> {
        match self.single(Name::ContentType) {
            Ok(field) => ContentType::parse(field.value)
                .map(Some)
                .ok_or(HeaderError::Malformed(Name::ContentType)),
            Err(HeaderError::Missing(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// For how many seconds something holds, when the header is there; a number too large is
    /// `u32::MAX`.
    ///
    /// # Errors
    /// When it is repeated or no number.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        let seconds = self.optional_number(Name::Expires)?;
        Ok(seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    /// After how many seconds to try again; comment and parameters are left aside.
    pub fn retry_after(&self) -> Option<u32> {
        let mut cursor = Cursor::new(self.headers(Name::RetryAfter).next()?.value);
        let seconds = lexer::number(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// Every contact. `*` is not one: ask [`Message::is_any_contact`] first.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(Name::Contact)
    }

    /// Tells whether the only contact is `*`: a REGISTER that removes all bindings.
    pub fn is_any_contact(&self) -> bool {
        self.single(Name::Contact).is_ok_and(|field| field.value == b"*")
    }

    /// The Route set from the top.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(Name::Route)
    }

    /// The Record-Route set from the top.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(Name::RecordRoute)
    }

    /// The addresses in every line of that name, in order.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.values(name)
            .map(move |value| NameAddr::parse(value).ok_or(HeaderError::Malformed(name)))
    }

    /// The words of a list of tokens: Require, Proxy-Require, Supported, Allow, Unsupported.
    /// Whatever is no token is shown as empty, and so is known by nobody.
    pub fn tokens(&self, name: Name) -> impl Iterator<Item = &str> {
        self.values(name).map(|value| {
            let fits = value.iter().all(|byte| lexer::is_token(*byte));
            if fits { lexer::proved(value) } else { "" }
        })
    }

    /// Tells whether a list of tokens has that word, without case.
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.tokens(name).any(|found| found.eq_ignore_ascii_case(token))
    }

    /// Why the request was sent (RFC 3326), one item for each protocol; broken ones are left out.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'_>> {
        self.values(Name::Reason).filter_map(Reason::parse)
    }

    fn address(&self, name: Name) -> Result<NameAddr<'_>, HeaderError> {
        NameAddr::parse(self.single(name)?.value).ok_or(HeaderError::Malformed(name))
    }

    fn optional_number(&self, name: Name) -> Result<Option<u64>, HeaderError> {
        match self.single(name) {
            Ok(field) => lexer::number(field.value).map(Some).ok_or(HeaderError::Malformed(name)),
            Err(HeaderError::Missing(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// Names and texts of a message are personal data: only its shape is shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Request { method, .. } => write!(f, "{method}")?,
            Start::Response { status, .. } => write!(f, "{status}")?,
        }
        write!(f, " ({} headers, {} octets)", self.fields.len(), self.bytes.len())
    }
}

/// The place of a request in its dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request, also in its response.
    pub method: Method,
}

impl CSeq {
    fn parse(value: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let number = lexer::number(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        let gap = cursor.take_while(lexer::is_space);
        let number = u32::try_from(number).ok().filter(|number| *number < 1 << 31)?;
        let method = Method::from_token(cursor.rest())?;
        (!gap.is_empty()).then_some(Self { number, method })
    }
}

/// A media type with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// `application`
    pub kind: &'a str,
    /// `sdp`
    pub subtype: &'a str,
    /// `;boundary=…`
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Tells whether it is that type, `application/sdp`, without case.
    pub fn is(&self, full: &str) -> bool {
        full.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }

    fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let kind = cursor.token()?;
        cursor.skip_space();
        if !cursor.eat(b'/') {
            return None;
        }
        cursor.skip_space();
        let subtype = cursor.token()?;
        Some(Self { kind, subtype, params: Params::parse(cursor.rest())? })
    }
}

/// One value of a Reason header (RFC 3326).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP` or `Q.850`.
    pub protocol: &'a str,
    /// The SIP status, or the cause of ITU-T Q.850.
    pub cause: Option<u16>,
    params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// The text for people.
    pub fn text(&self) -> Option<String> {
        self.params.find("text").map(|param| param.text().into_owned())
    }

    fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let protocol = cursor.token()?;
        let params = Params::parse(cursor.rest())?;
        let cause = params.find("cause").and_then(|param| param.value).and_then(lexer::number);
        Some(Self { protocol, cause: cause.and_then(|cause| u16::try_from(cause).ok()), params })
    }
}
