//! A tool that is a mail, given to the mail server of the operator by SMTP (RFC 5321). It writes to
//! nobody whom the operator does not allow, and a call sends only so many.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{Address, AsyncTransport as _, Message, Tokio1Executor};
use serde_json::Value;

use super::seam::{Tool, Use};
use crate::agent::tool::ToolResult;
use crate::agent::tools::definition::Definition;
use crate::agent::tools::letter::{self, Letter};
use crate::agent::tools::outcome;
use crate::base::secret::{ExposeSecret, Secret};

/// The tool.
#[derive(Clone)]
pub struct Email {
    name: String,
    definition: Arc<Definition>,
    /// Who takes the mails; nobody where the operator has named no server.
    relay: Option<Arc<Relay>>,
}

/// A mail server, and who we are there.
pub struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What is to be known of a mail server.
pub struct Access<'a> {
    /// Its host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How the connection is hidden.
    pub hiding: Hiding,
    /// Who we are there, with the password.
    pub login: Option<(&'a str, &'a Secret)>,
    /// Who the mails are from.
    pub from: &'a str,
    /// How long each of its steps may take.
    pub timeout: Duration,
    /// Authorities to believe besides those of the system, as PEM.
    pub authorities: Option<&'a [u8]>,
}

/// How the connection to a mail server is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hiding {
    /// By TLS that begins in the connection; without it nothing is sent (RFC 3207).
    Starttls,
    /// By TLS from the first octet on (RFC 8314).
    Tls,
    /// Not at all.
    Open,
}

/// A file that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// What it is called there.
    pub name: String,
    /// A WAV file.
    pub octets: Vec<u8>,
}

/// Why a mail is not with the mail server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It may take it another time.
    #[error("{0}")]
    Later(String),
    /// It does not take it.
    #[error("{0}")]
    Refused(String),
}

/// Why there is no mail server.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The mails would be from nobody.
    #[error("`{0}` is no sender of mails")]
    From(String),
    /// TLS cannot be had.
    #[error("no TLS for the mail server: {0}")]
    Tls(#[from] smtp::Error),
}

impl Email {
    /// A tool of this name and definition.
    pub fn new(name: &str, definition: Arc<Definition>, relay: Option<Arc<Relay>>) -> Self {
        Self { name: name.to_owned(), definition, relay }
    }

    async fn sent(&self, used: &Use) -> Result<String, String> {
        let relay = self.relay.as_ref().ok_or("there is no mail server: nothing was sent")?;
        let most = u64::from(self.definition.mails());
        if used.scope.get("tool.uses").and_then(Value::as_u64).is_some_and(|uses| uses > most) {
            return Err(format!("this call has sent its {most} mails: nothing was sent"));
        }
        let letter = letter::letter(&self.definition, &used.scope)?;
        let message = relay.message(&letter, used)?;
        let sending = relay.transport.send(message);
        let why = match tokio::time::timeout(self.definition.timeout, sending).await {
            Ok(Ok(_)) => return Ok(format!("the mail was sent to {}", letter.to.join(", "))),
            Ok(Err(why)) => why,
            Err(_) => return Err(LATE.to_owned()),
        };
        let told = outcome::cut(&why.to_string(), LONGEST_COMPLAINT);
        tracing::warn!(tool = self.name, why = told, "a mail was not sent");
        Err(in_our_words(&why).to_owned())
    }
}

impl Relay {
    /// A mail server; it is not asked yet.
    ///
    /// # Errors
    /// When it could not be asked.
    pub fn new(access: &Access<'_>) -> Result<Self, RelayError> {
        let wrong = || RelayError::From(access.from.to_owned());
        let (name, address) = letter::mailbox(access.from).ok_or_else(wrong)?;
        let name = (!name.is_empty()).then(|| name.to_owned());
        let from = Mailbox::new(name, address.parse().map_err(|_| wrong())?);
        let tls = match access.hiding {
            Hiding::Starttls => Tls::Required(parameters(access)?),
            Hiding::Tls => Tls::Wrapper(parameters(access)?),
            Hiding::Open => Tls::None,
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(access.host)
            .port(access.port)
            .tls(tls)
            .timeout(Some(access.timeout));
        let transport = match access.login {
            Some((user, password)) => {
                let password = password.expose_secret().to_owned();
                transport.credentials(Credentials::new(user.to_owned(), password))
            }
            None => transport,
        };
        Ok(Self { transport: transport.build(), from })
    }

    /// Gives a mail of ours to the server, with a file perhaps. Its identity is made of `name`: a
    /// mail that is given twice is the same mail.
    ///
    /// # Errors
    /// When the server does not take it, and whether it may another time.
    pub async fn deliver(
        &self,
        letter: &Letter,
        enclosure: Option<Enclosure>,
        (name, at): (&str, Duration),
    ) -> Result<(), Undelivered> {
        let refused = |why: &str| Undelivered::Refused(why.to_owned());
        let id = format!("<{name}@{}>", self.from.email.domain());
        let head = self.head(letter, (id, at)).map_err(|why| refused(&why))?;
        let text = SinglePart::plain(letter.text.clone());
        let written = match enclosure {
            None => head.singlepart(text),
            Some(Enclosure { name, octets }) => {
                let kind = ContentType::parse("audio/wav").map_err(|_| refused(UNWRITTEN))?;
                let sound = Attachment::new(name).body(octets, kind);
                head.multipart(MultiPart::mixed().singlepart(text).singlepart(sound))
            }
        };
        let message = written.map_err(|_| refused(UNWRITTEN))?;
        match tokio::time::timeout(DELIVERED_WITHIN, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) if why.is_permanent() => Err(refused(in_our_words(&why))),
            Ok(Err(why)) => Err(Undelivered::Later(in_our_words(&why).to_owned())),
            Err(_) => Err(Undelivered::Later(LATE.to_owned())),
        }
    }

    fn message(&self, letter: &Letter, used: &Use) -> Result<Message, String> {
        let plain = |text: &str| -> String {
            text.chars()
                .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                .take(64)
                .collect()
        };
        let call = used.scope.get("call.id").and_then(Value::as_str).unwrap_or_default();
        let (call, tool, at) = (plain(call), plain(&used.call.id), used.at.as_millis());
        let id = format!("<{call}.{tool}.{at}@{}>", self.from.email.domain());
        let written = self.head(letter, (id, used.at))?;
        let written = written.singlepart(SinglePart::plain(letter.text.clone()));
        written.map_err(|_| UNWRITTEN.to_owned())
    }

    fn head(
        &self,
        letter: &Letter,
        (id, at): (String, Duration),
    ) -> Result<MessageBuilder, String> {
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(&letter.subject)
            .date(UNIX_EPOCH + at)
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        for address in &letter.to {
            let none = |_| "there is no such e-mail address: nothing was sent".to_owned();
            let address: Address = address.parse().map_err(none)?;
            message = message.to(Mailbox::new(None, address));
        }
        Ok(message)
    }
}

impl Tool for Email {
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult> {
        let tool = self.clone();
        async move {
            match tool.sent(&used).await {
                Ok(content) => used.call.done(content),
                Err(why) => used.call.failed(why),
            }
        }
        .boxed()
    }

    fn changes(&self) -> bool {
        true
    }

    fn preview(&self, used: &Use) -> Result<String, String> {
        let Letter { to, subject, text } = letter::letter(&self.definition, &used.scope)?;
        let mut shown = String::new();
        if let Some(relay) = &self.relay {
            let _ = writeln!(shown, "From: {}", relay.from);
        }
        let _ = write!(shown, "To: {}\nSubject: {subject}\n\n{text}\n", to.join(", "));
        Ok(shown)
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("from", &self.from).finish_non_exhaustive()
    }
}

fn parameters(access: &Access<'_>) -> Result<TlsParameters, smtp::Error> {
    let parameters = TlsParameters::builder(access.host.to_owned());
    match access.authorities {
        Some(pem) => parameters.add_root_certificate(Certificate::from_pem(pem)?),
        None => parameters,
    }
    .build()
}

/// Why a mail was not sent, without a word of the server.
fn in_our_words(why: &smtp::Error) -> &'static str {
    if why.is_timeout() {
        LATE
    } else if why.is_permanent() {
        "the mail server does not take this mail: nothing was sent"
    } else if why.is_transient() {
        "the mail server takes no mails just now: nothing was sent"
    } else {
        "the mail server could not be reached: nothing was sent"
    }
}

/// What is told when there is no answer.
const LATE: &str = "the mail server gave no answer in time: it is not known whether it was sent";

/// What is told when it is no mail.
const UNWRITTEN: &str = "the mail cannot be written: nothing was sent";

/// How long a mail with a file may take.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);

/// How much of what a server complains of is logged, in octets.
const LONGEST_COMPLAINT: usize = 300;
