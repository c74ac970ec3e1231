//! Identities: each kind of thing has its own type, so that no two can be mistaken for each other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::random::Random;
use super::units;

/// The identity of a call: a UUIDv7 (RFC 9562), written `call_` and 26 characters of base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(uuid::Uuid);

impl CallId {
    /// Makes an identity from the time since the Unix epoch and chance.
    pub fn new(since_epoch: Duration, random: &mut Random) -> Self {
        let mut chance = [0; 10];
        random.fill(&mut chance);
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }
}

impl CallId {
    /// The identity of a session that the call begins itself: the chance in the call's own
    /// identity, with a mark that no session has which began at a peer, and room for 256 of them.
    pub fn session(self, number: u8) -> SessionId {
        let chance = self.0.as_u128() as u64 & 0x3fff_ffff_ffff_ff00;
        SessionId(OWN_SESSION | chance | u64::from(number))
    }

    /// Its 16 octets.
    pub fn octets(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// Its 32 hexadecimal digits, for those who know no other identities.
    pub fn digits(self) -> String {
        self.0.simple().to_string()
    }

    /// The identity that has these 32 hexadecimal digits.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let is_plain = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        is_plain.then(|| uuid::Uuid::try_parse(digits).ok().map(Self)).flatten()
    }

    /// The first identity that could be made at a time since the Unix epoch.
    pub fn first_at(since_epoch: Duration) -> Self {
        let millis = since_epoch.as_millis().min((1 << 48) - 1);
        Self(uuid::Uuid::from_u128(millis << 80))
    }

    /// When the identity was made, since the Unix epoch, to the millisecond.
    pub fn began(self) -> Duration {
        Duration::from_millis((self.0.as_u128() >> 80) as u64)
    }
}

/// Why a text is not the identity of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the identity of a call: `call_` and 26 letters and digits")]
pub struct NotACallId;

impl FromStr for CallId {
    type Err = NotACallId;

    fn from_str(text: &str) -> Result<Self, NotACallId> {
        let digits = text.strip_prefix("call_").filter(|it| it.len() == 26).ok_or(NotACallId)?;
        let add = |bits: u128, digit: u8| {
            let value = ALPHABET.iter().position(|it| *it == digit)?;
            // 26 digits have room for 130 bits: the first two must be empty.
            (bits >> 123 == 0).then_some(bits << 5 | value as u128)
        };
        let bits = digits.bytes().try_fold(0, add).ok_or(NotACallId)?;
        Ok(Self(uuid::Uuid::from_u128(bits)))
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        target.collect_str(self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("call_")?;
        let bits = self.0.as_u128();
        for index in (0..26).rev() {
            let digit = (bits >> (index * 5)) & 31;
            write!(f, "{}", char::from(ALPHABET[digit as usize]))?;
        }
        Ok(())
    }
}

/// Crockford's alphabet keeps the order of the octets, so that identities sort by time.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Marks the sessions that a call begins. Sessions stay below 2^63: they stand in descriptions,
/// where some read signed numbers.
const OWN_SESSION: u64 = 1 << 62;

/// Defines a small counted identity.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub u64);

        impl $name {
            /// The identity after this one.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counted!(
    /// One INVITE session at a SIP endpoint, from the first INVITE to the last BYE.
    SessionId
);
counted!(
    /// One clause or sentence that the agent speaks; counted within a call.
    UtteranceId
);
counted!(
    /// One turn of the caller: committed once.
    TurnId
);
counted!(
    /// One request to a language model; a speculative one may be abandoned.
    ThoughtId
);
counted!(
    /// One pause of the caller at which the transcriber is asked for the text so far.
    PauseId
);
counted!(
    /// The media port of one leg at a media shard.
    PortId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_of_calls_sort_by_time() {
        let mut random = Random::repeatable(1);
        let early = CallId::new(Duration::from_secs(1), &mut random).to_string();
        let late = CallId::new(Duration::from_secs(2), &mut random).to_string();
        assert!(early < late);
        assert_eq!(early.len(), 31);
    }

    #[test]
    fn an_identity_is_read_back_and_tells_when_the_call_began() {
        let began = Duration::from_millis(1_795_287_163_456);
        let call = CallId::new(began, &mut Random::repeatable(1));
        assert_eq!(call.to_string().parse(), Ok(call));
        assert_eq!(call.began(), began);
        let first = CallId::first_at(began);
        assert!(first <= call && call < CallId::first_at(began + Duration::from_millis(1)));
        assert_eq!(first.began(), began);
        let most = "call_7zzzzzzzzzzzzzzzzzzzzzzzzz";
        assert_eq!(most.parse::<CallId>().map(|it| it.to_string()).as_deref(), Ok(most));
        for wrong in ["call_../../../../etc/passwd0000", "call_80000000000000000000000000", "x", ""]
        {
            assert_eq!(wrong.parse::<CallId>(), Err(NotACallId), "{wrong}");
        }
    }
}
