//! Destinations: the one grammar for where a call can go, used by routes, transfers and `else`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drill::Drill;
use super::number::Number;

/// Where a call can go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = WRITTEN))]
pub enum Destination {
    /// `agent:reception`: an agent speaks.
    Agent(String),
    /// `squad:frontdesk`: the first agent of a squad speaks.
    Squad(String),
    /// `menu:main`: the caller chooses by key or word.
    Menu(String),
    /// `flow:appointment`: the nodes of a flow say what happens.
    Flow(String),
    /// `sip:sales@pbx.example.com`: another SIP address.
    Sip(String),
    /// `tel:+4971112340`: a telephone number.
    Tel(Number),
    /// `trunk:carrier/+4971112340`: a number by this trunk and no other.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number, as it is to be dialled there.
        number: String,
    },
    /// `phone:101`: a phone that is registered with us.
    Phone(String),
    /// `group:sales`: every phone of a group at once; the first that answers has the call.
    Group(String),
    /// `voicemail:office`: the caller leaves a message.
    Voicemail(String),
    /// `conference:board`: a room in which everybody hears everybody.
    Conference(String),
    /// `queue:sales`: callers wait for the next free member.
    Queue(String),
    /// `webhook:https://app.example.com/incoming`, or `webhook:NAME` of `[webhooks.NAME]`: a server of
    /// the operator's says where.
    Webhook(String),
    /// `stream:bot`: somebody behind a WebSocket hears and speaks.
    Stream(String),
    /// `openai:reception`: OpenAI's realtime model takes the call by SIP, and is that agent.
    OpenAi(String),
    /// `echo`, `tone`, `ring:5` and the like: a test.
    Drill(Drill),
    /// `reject` or `reject:603`: a final answer without a word.
    Reject(u16),
    /// `busy`: 486.
    Busy,
    /// `hangup` or `hangup:404`.
    HangUp(u16),
}

/// How a caller is brought to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is sent there: by REFER where its side takes it, otherwise it hears how it rings.
    #[default]
    Blind,
    /// We call there, and connect the caller with whoever answers.
    Attended,
    /// We call there, say who is calling and why, and connect the caller when it is wanted. Until
    /// then it hears music.
    Warm,
}

impl Mode {
    /// Whether a caller can be brought to a destination so.
    pub fn fits(self, to: &Destination) -> bool {
        match self {
            Self::Blind => true,
            Self::Attended => to.is_called(),
            Self::Warm => to.is_called() || matches!(to, Destination::Queue(_)),
        }
    }
}

/// Why a text is not a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADestination {
    /// The part before the colon is not known.
    #[error(
        "`{0}` is not a kind of destination: there are agent:, squad:, menu:, flow:, queue:, phone:, group:, \
         voicemail:, conference:, stream:, openai:, webhook:, trunk:, sip:, tel:, reject, busy and hangup, and to test echo, tone, ring:, early, noanswer, digits and refer:"
    )]
    Kind(String),
    /// The part after the colon does not fit.
    #[error("{0}")]
    Value(String),
}

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let (kind, value) = text.split_once(':').unwrap_or((text, ""));
        let status = |default: u16| match value {
            "" => Ok(default),
            digits => {
                digits.parse().ok().filter(|status| (400..=699).contains(status)).ok_or_else(|| {
                    NotADestination::Value(format!(
                        "`{digits}` is not a SIP status from 400 to 699"
                    ))
                })
            }
        };
        match kind {
            "agent" | "assistant" if !value.is_empty() => Ok(Self::Agent(value.to_owned())),
            "squad" if is_name(value) => Ok(Self::Squad(value.to_owned())),
            "menu" if is_name(value) => Ok(Self::Menu(value.to_owned())),
            "flow" if is_name(value) => Ok(Self::Flow(value.to_owned())),
            "queue" if is_name(value) => Ok(Self::Queue(value.to_owned())),
            "stream" if is_name(value) => Ok(Self::Stream(value.to_owned())),
            "openai" if is_name(value) => Ok(Self::OpenAi(value.to_owned())),
            "squad" | "menu" | "flow" | "queue" | "stream" | "openai" => {
                Err(NotADestination::Value(format!("`{value}` is not the name of a {kind}")))
            }
            "sip" | "sips" if !value.is_empty() => Ok(Self::Sip(text.to_owned())),
            "tel" => value
                .parse()
                .map(Self::Tel)
                .map_err(|why| NotADestination::Value(format!("`{value}` is {why}"))),
            "trunk" => trunk(value),
            "phone" if is_name(value) => Ok(Self::Phone(value.to_owned())),
            "phone" => Err(NotADestination::Value(format!("`{value}` is not the name of a phone"))),
            "group" if is_name(value) => Ok(Self::Group(value.to_owned())),
            "group" => Err(NotADestination::Value(format!("`{value}` is not the name of a group"))),
            "voicemail" if is_name(value) => Ok(Self::Voicemail(value.to_owned())),
            "voicemail" => {
                Err(NotADestination::Value(format!("`{value}` is not the name of a voicemail")))
            }
            "conference" if is_name(value) => Ok(Self::Conference(value.to_owned())),
            "conference" => {
                Err(NotADestination::Value(format!("`{value}` is not the name of a conference")))
            }
            "webhook" => webhook(value),
            "reject" => status(603).map(Self::Reject),
            "hangup" => status(480).map(Self::HangUp),
            "busy" if value.is_empty() => Ok(Self::Busy),
            _ => match Drill::read(kind, value) {
                Some(drill) => drill.map(Self::Drill).map_err(NotADestination::Value),
                None => Err(NotADestination::Kind(text.to_owned())),
            },
        }
    }
}

impl Destination {
    /// The same for a call to an extension, which `{ext}` stands for: `phone:{ext}`.
    #[must_use]
    pub fn for_extension(&self, called: &str) -> Self {
        let is_dialled =
            |it: &str| it.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
        match self {
            Self::Trunk { trunk, number } if number == EXTENSION && is_dialled(called) => {
                Self::Trunk { trunk: trunk.clone(), number: called.to_owned() }
            }
            _ if !self.names_extension() || !is_name(called) || called == EXTENSION => self.clone(),
            Self::Agent(_) => Self::Agent(called.to_owned()),
            Self::Phone(_) => Self::Phone(called.to_owned()),
            Self::Group(_) => Self::Group(called.to_owned()),
            Self::Conference(_) => Self::Conference(called.to_owned()),
            Self::Queue(_) => Self::Queue(called.to_owned()),
            Self::Voicemail(_) => Self::Voicemail(called.to_owned()),
            Self::Stream(_) => Self::Stream(called.to_owned()),
            other => other.clone(),
        }
    }

    /// Whether it is another one for each extension.
    pub fn names_extension(&self) -> bool {
        match self {
            Self::Agent(name)
            | Self::Phone(name)
            | Self::Group(name)
            | Self::Conference(name)
            | Self::Queue(name)
            | Self::Stream(name)
            | Self::Voicemail(name)
            | Self::Trunk { number: name, .. } => name == EXTENSION,
            _ => false,
        }
    }

    /// Whether an agent speaks there that goes on with a conversation.
    pub fn is_agent(&self) -> bool {
        matches!(self, Self::Agent(_) | Self::Squad(_))
    }

    /// Whether somebody is called there, on a leg of its own.
    pub fn is_called(&self) -> bool {
        match self {
            Self::Sip(_)
            | Self::Tel(_)
            | Self::Trunk { .. }
            | Self::Phone(_)
            | Self::Group(_)
            | Self::OpenAi(_) => true,
            Self::Agent(_)
            | Self::Squad(_)
            | Self::Menu(_)
            | Self::Flow(_)
            | Self::Voicemail(_)
            | Self::Conference(_)
            | Self::Queue(_)
            | Self::Webhook(_)
            | Self::Stream(_)
            | Self::Drill(_)
            | Self::Reject(_)
            | Self::Busy
            | Self::HangUp(_) => false,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) => write!(f, "agent:{name}"),
            Self::Squad(name) => write!(f, "squad:{name}"),
            Self::Menu(name) => write!(f, "menu:{name}"),
            Self::Flow(name) => write!(f, "flow:{name}"),
            Self::Sip(uri) => f.write_str(uri),
            Self::Tel(number) => write!(f, "tel:{number}"),
            Self::Trunk { trunk, number } => write!(f, "trunk:{trunk}/{number}"),
            Self::Phone(name) => write!(f, "phone:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Voicemail(name) => write!(f, "voicemail:{name}"),
            Self::Conference(name) => write!(f, "conference:{name}"),
            Self::Queue(name) => write!(f, "queue:{name}"),
            Self::Webhook(url) => write!(f, "webhook:{url}"),
            Self::Stream(name) => write!(f, "stream:{name}"),
            Self::OpenAi(agent) => write!(f, "openai:{agent}"),
            Self::Drill(drill) => drill.fmt(f),
            Self::Reject(status) => write!(f, "reject:{status}"),
            Self::Busy => f.write_str("busy"),
            Self::HangUp(status) => write!(f, "hangup:{status}"),
        }
    }
}

/// How a destination is written, for editors.
const WRITTEN: &str = concat!(
    r"(agent|assistant|squad|menu|flow|queue|phone|group|voicemail|conference|stream|openai|webhook|trunk|tel|sip|sips|refer):.+",
    r"|(reject|hangup)(:[0-9]{3})?|ring:[0-9]+s?|busy|echo|tone|early|noanswer|digits",
);

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a URL, or a name.
fn webhook(value: &str) -> Result<Destination, NotADestination> {
    let (scheme, rest) = value.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_url = matches!(scheme, "http" | "https")
        && !authority.is_empty()
        && !authority.contains('@')
        && value.chars().all(|c| c.is_ascii_graphic());
    match is_url || is_name(value) && value != EXTENSION {
        true => Ok(Destination::Webhook(value.to_owned())),
        false => Err(NotADestination::Value(format!(
            "`{value}` is no URL and no name: write webhook:https://app.example.com/incoming, or \
             webhook:NAME of [webhooks.NAME]"
        ))),
    }
}

/// Reads `NAME/NUMBER`.
fn trunk(value: &str) -> Result<Destination, NotADestination> {
    let number = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let dialled = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
        (1..=32).contains(&digits.len()) && digits.chars().all(dialled)
    };
    match value.split_once('/') {
        Some((name, dialled)) if is_name(name) && (number(dialled) || dialled == EXTENSION) => {
            Ok(Destination::Trunk { trunk: name.to_owned(), number: dialled.to_owned() })
        }
        Some(_) | None => Err(NotADestination::Value(format!(
            "`{value}` is not a trunk and a number: write trunk:NAME/NUMBER"
        ))),
    }
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text == EXTENSION || (!text.is_empty() && text.len() <= 64 && text.chars().all(fits))
}

/// What stands for the extension that was called.
const EXTENSION: &str = "{ext}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_stands_for_whoever_has_it() {
        for (written, called, there) in [
            ("phone:{ext}", "101", "phone:101"),
            ("conference:{ext}", "600", "conference:600"),
            ("trunk:carrier/{ext}", "0711", "trunk:carrier/0711"),
            ("trunk:carrier/{ext}", "evil@host", "trunk:carrier/{ext}"),
            ("phone:{ext}", "a b", "phone:{ext}"),
            ("phone:{ext}", "", "phone:{ext}"),
            ("phone:102", "101", "phone:102"),
        ] {
            let destination: Destination = written.parse().expect("a destination");
            assert_eq!(destination.for_extension(called).to_string(), there);
        }
    }

    #[test]
    fn a_destination_reads_and_writes_the_same() {
        for text in [
            "agent:reception",
            "squad:frontdesk",
            "menu:main",
            "flow:appointment",
            "sip:sales@pbx.example.com",
            "tel:+4971112340",
            "trunk:carrier/+4971112340",
            "trunk:office-pbx/*97",
            "phone:101",
            "group:sales",
            "voicemail:office",
            "conference:board",
            "openai:reception",
            "queue:sales",
            "stream:bot",
            "echo",
            "tone",
            "ring:5",
            "early",
            "noanswer",
            "digits",
            "refer:sip:anna@192.0.2.7",
            "reject:603",
            "busy",
            "hangup:404",
        ] {
            let destination: Destination = text.parse().expect(text);
            assert_eq!(destination.to_string(), text);
        }
        for wrong in [
            "agent:",
            "squad:",
            "menu:a b",
            "queue:",
            "queue:a b",
            "stream:",
            "stream:wss://bot.example.com",
            "reject:200",
            "tel:0711",
            "busy:1",
            "",
            "trunk:a",
            "trunk:a/",
            "trunk:/1",
            "trunk:a/1;x",
            "phone:",
            "phone:a b",
            "voicemail:",
            "conference:",
            "conference:a b",
            "echo:1",
            "ring:",
            "ring:0",
            "ring:181",
            "refer:",
            "refer:http:x",
        ] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
