//! What we sign for calls that go out by a trunk.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::base::attestation::Attestation;
use crate::base::number::Number;
use crate::dialplan::pattern::Match;
use crate::sip::passport::{self, Claims};

/// How calls by a trunk are signed.
#[derive(Debug, Clone)]
pub struct Signing {
    /// How far we vouch for numbers of our own.
    pub attestation: Attestation,
    /// The numbers of our own.
    pub own: Vec<Match>,
    /// Where we have our calls from, in words that only we know.
    pub origin: Uuid,
}

/// What is to be signed for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The trunk by which it goes.
    pub trunk: Arc<str>,
    /// How far we vouch.
    attestation: Attestation,
    caller: Number,
    called: Number,
    origin: Uuid,
}

impl Signing {
    /// What is signed for a call by `trunk`; nothing when one of the numbers is none of the public
    /// network.
    pub fn claim(&self, trunk: &Arc<str>, caller: &str, called: &str) -> Option<Claim> {
        let (caller, called): (Number, Number) = (caller.parse().ok()?, called.parse().ok()?);
        let is_own = self.own.iter().any(|own| own.matches(caller.to_e164()));
        // A call that somebody else placed and that we only pass on: we know where it came in.
        let attestation = if is_own { self.attestation } else { Attestation::Gateway };
        let (trunk, origin) = (trunk.clone(), self.origin);
        Some(Claim { trunk, attestation, caller, called, origin })
    }
}

impl Claim {
    /// What stands in the token of an INVITE that is sent `now`, since the Unix epoch.
    pub fn at(&self, now: Duration) -> Claims {
        Claims {
            attestation: self.attestation,
            called: vec![passport::digits(self.called.to_e164())],
            issued: now.as_secs(),
            caller: passport::digits(self.caller.to_e164()),
            origin: self.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_vouch_in_full_for_our_own_numbers_only_and_for_numbers_only() {
        let own = vec!["+49711123*".parse().expect("a pattern")];
        let origin = Uuid::from_u128(1);
        let signing = Signing { attestation: Attestation::Full, own, origin };
        let trunk: Arc<str> = "carrier".into();
        let claims = |caller: &str, called: &str| {
            let claim = signing.claim(&trunk, caller, called)?;
            Some(claim.at(Duration::from_millis(1_800_000_000_900)))
        };
        let own = claims("+4971112345", "+4930123456").expect("two numbers");
        assert_eq!((own.attestation, own.issued), (Attestation::Full, 1_800_000_000));
        assert_eq!(
            (own.caller.as_str(), own.called),
            ("4971112345", vec!["4930123456".to_owned()])
        );
        let foreign = claims("+4989123456", "+4930123456").expect("two numbers");
        assert_eq!(foreign.attestation, Attestation::Gateway);
        assert_eq!(claims("anonymous", "+4930123456"), None);
        assert_eq!(claims("+4971112345", "110"), None);
    }
}
