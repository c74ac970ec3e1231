//! Drills: the test destinations that every telephone system has, to try a phone or a trunk with.

use std::fmt;
use std::time::Duration;

/// What a test destination does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Drill {
    /// `echo`: answers, and the caller hears itself.
    Echo,
    /// `tone`: answers and plays 1004 Hz at 0 dBm0, the milliwatt of the telephone people.
    Tone,
    /// `ring:5`: rings for so long, answers, and the caller hears itself.
    Ring(Duration),
    /// `early`: the tone as early media (183) for three seconds, then an answer.
    Early,
    /// `noanswer`: rings until somebody gives up.
    NoAnswer,
    /// `digits`: answers, and sends every key back that it hears.
    Digits,
    /// `refer:sip:anna@192.0.2.7`: answers, and asks the caller's side to call that URI.
    Refer(String),
}

impl Drill {
    /// Reads a drill; `None` when the words name none.
    pub(super) fn read(kind: &str, value: &str) -> Option<Result<Self, String>> {
        let plain = |drill: Self| {
            let surplus = || format!("`{kind}` stands alone: nothing follows it");
            value.is_empty().then_some(drill).ok_or_else(surplus)
        };
        Some(match kind {
            "echo" => plain(Self::Echo),
            "tone" => plain(Self::Tone),
            "early" => plain(Self::Early),
            "noanswer" => plain(Self::NoAnswer),
            "digits" => plain(Self::Digits),
            "ring" => {
                let seconds = value.strip_suffix('s').unwrap_or(value).parse::<u64>();
                let seconds = seconds.ok().filter(|it| (1..=LONGEST_RING).contains(it));
                let wrong = || format!("`{value}` is not a number of seconds up to {LONGEST_RING}");
                seconds.map(|it| Self::Ring(Duration::from_secs(it))).ok_or_else(wrong)
            }
            "refer" => match value.split_once(':') {
                Some(("sip" | "sips" | "tel", target)) if !target.is_empty() => {
                    Ok(Self::Refer(value.to_owned()))
                }
                Some(_) | None => Err(format!("`{value}` is not a sip: or tel: URI")),
            },
            _ => return None,
        })
    }
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Tone => f.write_str("tone"),
            Self::Ring(time) => write!(f, "ring:{}", time.as_secs()),
            Self::Early => f.write_str("early"),
            Self::NoAnswer => f.write_str("noanswer"),
            Self::Digits => f.write_str("digits"),
            Self::Refer(target) => write!(f, "refer:{target}"),
        }
    }
}

/// Proxies give up after three minutes (RFC 3261 16.6).
const LONGEST_RING: u64 = 180;
