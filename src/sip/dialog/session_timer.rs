//! Session timers (RFC 4028): a call is refreshed from time to time, so that one whose other side
//! has vanished without a word comes to an end.

use std::time::{Duration, Instant};

use crate::sip::event::Party;
use crate::sip::header::Name;
use crate::sip::message::Message;

/// What we want of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether there shall be any.
    pub mode: Mode,
    /// How long a session lives without a refresh, if we are asked.
    pub expires: Duration,
    /// The shortest life that we accept, as Min-SE says it. Less than 90 s is for tests
    /// (RFC 4028 4).
    pub least: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let (expires, least) = (Duration::from_secs(1_800), LEAST);
        Self { mode: Mode::Accept, expires, least }
    }
}

/// Whether there shall be session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Never: the extension is not supported.
    Never,
    /// When the peer wants them.
    #[default]
    Accept,
    /// Always, if need be by our own refreshes alone.
    Prefer,
    /// Always, and a peer that does not know them is refused.
    Require,
}

/// A Session-Expires header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// How long the session lives.
    pub interval: Duration,
    /// Who refreshes it, if that is said.
    pub refresher: Option<Role>,
}

/// A role in the transaction that carries the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

/// Why a request cannot have its session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// 422 with this Min-SE.
    TooBrief(Duration),
    /// 421: the peer does not know session timers, and we insist.
    Lacking,
}

/// What both sides agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// How long the session lives without a refresh.
    pub interval: Duration,
    /// Who refreshes it.
    pub refresher: Party,
}

/// The timer of one session.
#[derive(Debug)]
pub struct SessionTimer {
    agreed: Agreed,
    refresh_at: Option<Instant>,
    expires_at: Instant,
}

/// What a session timer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The session is to be refreshed.
    Refresh,
    /// Nobody has refreshed it: it is over.
    Expired,
}

impl Policy {
    /// Whether the extension is supported at all.
    pub fn is_supported(&self) -> bool {
        self.mode != Mode::Never
    }

    /// The interval that we ask for, if we ask.
    pub fn asked(&self) -> Option<Duration> {
        match self.mode {
            Mode::Never | Mode::Accept => None,
            Mode::Prefer | Mode::Require => Some(self.expires.max(self.least())),
        }
    }

    /// Decides on a request of the peer that begins or refreshes a session (RFC 4028 9). `before`
    /// is what was agreed until now: a request that is silent about it does not end it.
    ///
    /// # Errors
    /// When the request must be refused.
    pub fn answer(
        &self,
        request: &Message,
        before: Option<Agreed>,
    ) -> Result<Option<Agreed>, Objection> {
        if self.mode == Mode::Never {
            return Ok(None);
        }
        let knows =
            request.lists(Name::Supported, EXTENSION) || request.lists(Name::Require, EXTENSION);
        if self.mode == Mode::Require && !knows {
            return Err(Objection::Lacking);
        }
        let least = self.least().max(least_of(request));
        let Some(wish) = SessionExpires::read(request) else {
            let own = before.map(|before| before.interval).or(self.asked());
            let agreed =
                |interval: Duration| Agreed { interval: interval.max(least), refresher: Party::Us };
            return Ok(own.map(agreed));
        };
        if wish.interval < self.least() && knows {
            return Err(Objection::TooBrief(self.least()));
        }
        let refresher = match wish.refresher {
            Some(Role::Uas) => Party::Us,
            Some(Role::Uac) | None if knows => Party::Peer,
            Some(Role::Uac) | None => Party::Us,
        };
        let interval = wish.interval.min(self.expires).max(least);
        Ok(Some(Agreed { interval, refresher }))
    }

    /// What a 2xx to our request comes to (RFC 4028 7.2); `asked` is what we asked for.
    pub fn accept(&self, answer: &Message, asked: Option<Duration>) -> Option<Agreed> {
        if self.mode == Mode::Never {
            return None;
        }
        let Some(said) = SessionExpires::read(answer) else {
            // The peer does not know timers: our own refreshes show whether it lives.
            return asked.map(|interval| Agreed { interval, refresher: Party::Us });
        };
        let refresher = match said.refresher {
            Some(Role::Uas) => Party::Peer,
            Some(Role::Uac) | None => Party::Us,
        };
        // A peer that says less than is allowed would have us refresh without end.
        Some(Agreed { interval: said.interval.max(self.least()), refresher })
    }

    fn least(&self) -> Duration {
        self.least.max(SHORTEST)
    }
}

impl SessionExpires {
    /// Reads the header, if it is there and a number.
    pub fn read(message: &Message) -> Option<Self> {
        let text = message.text(Name::SessionExpires)?;
        let (seconds, params) = text.split_once(';').unwrap_or((&text, ""));
        let seconds: u32 = seconds.trim().parse().ok()?;
        let refresher = params.split(';').find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case("refresher").then(|| Role::from_text(value.trim()))?
        });
        Some(Self { interval: Duration::from_secs(seconds.into()), refresher })
    }
}

impl Role {
    fn from_text(text: &str) -> Option<Self> {
        [Self::Uac, Self::Uas].into_iter().find(|role| role.name().eq_ignore_ascii_case(text))
    }

    /// The word in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

impl Agreed {
    /// The header in a request of ours.
    pub fn asked(&self) -> String {
        let role = match self.refresher {
            Party::Us => Role::Uac,
            Party::Peer => Role::Uas,
        };
        format!("{};refresher={}", self.interval.as_secs(), role.name())
    }

    /// The header in our answer to a request.
    pub fn answered(&self) -> String {
        let role = match self.refresher {
            Party::Us => Role::Uas,
            Party::Peer => Role::Uac,
        };
        format!("{};refresher={}", self.interval.as_secs(), role.name())
    }
}

impl SessionTimer {
    /// Starts when the session was agreed on or refreshed.
    pub fn start(agreed: Agreed, now: Instant) -> Self {
        let half = agreed.interval / 2;
        // RFC 4028 10: a little before the end, so that BYE still finds its way.
        let margin = (agreed.interval / 3).min(Duration::from_secs(32));
        Self {
            agreed,
            refresh_at: (agreed.refresher == Party::Us).then_some(now + half),
            expires_at: now + (agreed.interval - margin),
        }
    }

    /// What was agreed.
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Lets one timer fire that is due. A refresh that nobody answers is asked for again, each
    /// time after half of what is left.
    pub fn tick(&mut self, now: Instant) -> Option<Wish> {
        if self.expires_at <= now {
            return Some(Wish::Expired);
        }
        if self.refresh_at.is_none_or(|at| at > now) {
            return None;
        }
        self.postpone(now);
        Some(Wish::Refresh)
    }

    /// When a timer fires next.
    pub fn deadline(&self) -> Instant {
        self.refresh_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    fn postpone(&mut self, now: Instant) {
        let left = self.expires_at.saturating_duration_since(now);
        self.refresh_at = Some(now + (left / 2).max(Duration::from_secs(1)));
    }
}

/// The Min-SE of a message.
pub fn least_of(message: &Message) -> Duration {
    let text = message.text(Name::MinSe).unwrap_or_default();
    let seconds = text.split(';').next().and_then(|number| number.trim().parse::<u32>().ok());
    Duration::from_secs(seconds.unwrap_or(0).into())
}

/// The name of the extension.
pub const EXTENSION: &str = "timer";

/// No session lives shorter unless somebody says so: RFC 4028 4.
pub const LEAST: Duration = Duration::from_secs(90);

/// The header counts in seconds: there is nothing shorter.
const SHORTEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn message(headers: &str) -> Message {
        let text = format!("INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n{headers}\r\n");
        Message::parse_datagram(&Bytes::from(text)).expect("it parses")
    }

    fn policy(mode: Mode) -> Policy {
        Policy { mode, ..Policy::default() }
    }

    fn agreed(seconds: u64, refresher: Party) -> Option<Agreed> {
        Some(Agreed { interval: Duration::from_secs(seconds), refresher })
    }

    #[test]
    fn a_header_is_read_however_it_is_written() {
        for (text, seconds, refresher) in [
            ("Session-Expires: 1800", 1_800, None),
            ("x: 90 ; refresher=UAS", 90, Some(Role::Uas)),
            ("Session-Expires: 600;foo;refresher=uac", 600, Some(Role::Uac)),
            ("Session-Expires: 600;refresher=nobody", 600, None),
        ] {
            let interval = Duration::from_secs(seconds);
            let read = SessionExpires::read(&message(&format!("{text}\r\n")));
            assert_eq!(read, Some(SessionExpires { interval, refresher }), "{text}");
        }
        assert_eq!(SessionExpires::read(&message("Session-Expires: soon\r\n")), None);
    }

    #[test]
    fn the_table_of_who_refreshes_is_that_of_the_rfc() {
        let answer = |headers: &str| policy(Mode::Accept).answer(&message(headers), None);
        let knows = "Supported: timer\r\nSession-Expires: 600";
        assert_eq!(answer("Supported: timer\r\n"), Ok(None), "nobody asked");
        assert_eq!(answer("Session-Expires: 600\r\n"), Ok(agreed(600, Party::Us)));
        assert_eq!(answer(&format!("{knows}\r\n")), Ok(agreed(600, Party::Peer)));
        let uas = format!("{knows};refresher=uas\r\n");
        assert_eq!(answer(&uas), Ok(agreed(600, Party::Us)));
        let long = "Supported: timer\r\nSession-Expires: 7200\r\n";
        assert_eq!(answer(long), Ok(agreed(1_800, Party::Peer)), "it may be shortened");
        let least = format!("{long}Min-SE: 3600\r\n");
        assert_eq!(answer(&least), Ok(agreed(3_600, Party::Peer)), "but not below Min-SE");
    }

    #[test]
    fn what_is_too_brief_is_refused_only_to_who_knows_why() {
        let brief = message("Supported: timer\r\nSession-Expires: 30\r\n");
        let least = Duration::from_secs(90);
        assert_eq!(policy(Mode::Accept).answer(&brief, None), Err(Objection::TooBrief(least)));
        assert_eq!(policy(Mode::Never).answer(&brief, None), Ok(None));
        let ignorant = message("Session-Expires: 30\r\n");
        assert_eq!(policy(Mode::Accept).answer(&ignorant, None), Ok(agreed(90, Party::Us)));
        assert_eq!(policy(Mode::Require).answer(&ignorant, None), Err(Objection::Lacking));
        let silent = message("");
        assert_eq!(policy(Mode::Prefer).answer(&silent, None), Ok(agreed(1_800, Party::Us)));
        let before = agreed(600, Party::Peer);
        assert_eq!(policy(Mode::Accept).answer(&silent, before), Ok(agreed(600, Party::Us)));
    }

    #[test]
    fn an_answer_says_who_refreshes() {
        let asked = Some(Duration::from_secs(1_800));
        let accept = |headers: &str| policy(Mode::Prefer).accept(&message(headers), asked);
        assert_eq!(accept("Session-Expires: 600;refresher=uas\r\n"), agreed(600, Party::Peer));
        assert_eq!(accept("Session-Expires: 600\r\n"), agreed(600, Party::Us));
        assert_eq!(accept("Session-Expires: 1;refresher=uac\r\n"), agreed(90, Party::Us));
        assert_eq!(accept(""), agreed(1_800, Party::Us));
        assert_eq!(policy(Mode::Accept).accept(&message(""), None), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_timer_asks_often_enough_and_ends_in_time(seconds in 90_u64..100_000) {
            let interval = Duration::from_secs(seconds);
            for refresher in [Party::Us, Party::Peer] {
                let start = Instant::now();
                let mut timer = SessionTimer::start(Agreed { interval, refresher }, start);
                let mut asked = Vec::new();
                let ended = loop {
                    let at = timer.deadline();
                    match timer.tick(at).expect("a deadline means a timer") {
                        Wish::Refresh => asked.push(at - start),
                        Wish::Expired => break at - start,
                    }
                };
                let margin = Duration::from_secs(32).min(interval / 3);
                prop_assert_eq!(ended, interval - margin);
                match refresher {
                    Party::Us => prop_assert_eq!(asked.first(), Some(&(interval / 2))),
                    Party::Peer => prop_assert!(asked.is_empty()),
                }
                prop_assert!(asked.len() < 64);
            }
        }
    }
}
