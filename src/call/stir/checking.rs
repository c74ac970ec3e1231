//! Checks the signature of a call as far as that is possible without its certificate, and again
//! when that is there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Flaw, Policy, Said, Verification};
use crate::base::recent::Recent;
use crate::sip::event::Incoming;
use crate::sip::identity::Identity;
use crate::sip::passport::{self, KIND, Passport};

/// Checks calls one after the other, so that no signature serves two of them.
#[derive(Debug)]
pub struct Checker {
    /// How far the clocks of others and the way to us may be off.
    freshness: Duration,
    /// The signatures that were good, and the Call-ID of the call that had each.
    used: Recent<[u8; 32], u64>,
}

/// Who calls whom, as the call's trunk is believed to say it, in E.164.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    /// The number that calls, even if it is withheld.
    pub caller: String,
    /// What may count as the number called: that of the dialplan, and that in To.
    pub called: Vec<String>,
}

/// A signature that is good but for what its certificate may say against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What the trunk wants.
    pub policy: Policy,
    /// The token.
    pub passport: Passport,
    /// Which call it is.
    call_id: u64,
}

impl Checker {
    /// Makes a checker that takes signatures which are at most so old, or so far ahead.
    pub fn new(freshness: Duration) -> Self {
        Self { freshness, used: Recent::holding(MOST_USED) }
    }

    /// Looks at a call that arrived `now`, since the Unix epoch.
    ///
    /// # Errors
    /// With what came of it, when no certificate is needed to tell.
    pub fn examine(
        &self,
        now: Duration,
        policy: Policy,
        incoming: &Incoming,
        parties: &Parties,
    ) -> Result<Pending, Box<Verification>> {
        let named = incoming.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        let mut worst = Flaw::Missing;
        for (_, value) in named.take(MOST_HEADERS) {
            match self.look_at(value, now, parties) {
                Ok(passport) => {
                    let call_id = fingerprint(&incoming.sip_call_id);
                    return Ok(Pending { policy, passport, call_id });
                }
                // Whatever is wrong with a header of the right kind tells more than that there
                // are others.
                Err(Flaw::OtherKind) if worst != Flaw::Missing => {}
                Err(flaw) if matches!(worst, Flaw::Missing | Flaw::OtherKind) => worst = flaw,
                Err(_) => {}
            }
        }
        Err(Box::new(Verification::failed(policy, worst)))
    }

    /// Says what came of a call whose certificate is there: `signer` is whom it names.
    pub fn conclude(&mut self, pending: Pending, signer: Result<String, Flaw>) -> Verification {
        let Pending { policy, passport, call_id } = pending;
        let signer = match signer {
            Ok(signer) => signer,
            Err(flaw) => return Verification::failed(policy, flaw),
        };
        // S may be turned into another one that is right as well; R may not.
        let lasting = passport.signature.get(..32).unwrap_or_default();
        let used: [u8; 32] =
            Sha256::new().chain_update(&passport.signed).chain_update(lasting).finalize().into();
        // The same call may come again: challenged, or by another way.
        if *self.used.entry(used, || call_id) != call_id {
            return Verification::failed(policy, Flaw::Replayed);
        }
        let claims = passport.claims;
        let said = Said { attestation: claims.attestation, origin: claims.origin, signer };
        Verification::passed(policy, said)
    }

    fn look_at(&self, value: &str, now: Duration, parties: &Parties) -> Result<Passport, Flaw> {
        let identity = Identity::parse(value)?;
        if identity.ppt.as_deref().is_some_and(|ppt| ppt != KIND) {
            return Err(Flaw::OtherKind);
        }
        if identity.alg.as_deref().is_some_and(|alg| alg != passport::ALGORITHM) {
            return Err(passport::Flaw::Algorithm.into());
        }
        let passport = Passport::parse(identity.token)?;
        if passport.certificate != identity.info {
            return Err(Flaw::TwoCertificates);
        }
        let claims = &passport.claims;
        let off = now.as_secs().abs_diff(claims.issued);
        if off > self.freshness.as_secs() {
            return Err(Flaw::Stale(off));
        }
        if claims.caller != passport::digits(&parties.caller) {
            return Err(Flaw::OtherCaller);
        }
        let is_called = |number: &String| claims.called.contains(&passport::digits(number));
        if !parties.called.iter().any(is_called) {
            return Err(Flaw::OtherCalled);
        }
        Ok(passport)
    }
}

fn fingerprint(call_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    call_id.hash(&mut hasher);
    hasher.finish()
}

const HEADER: &str = "Identity";

/// How many Identity headers of a call are looked at.
const MOST_HEADERS: usize = 8;

/// How many signatures are remembered: more than trunks bring while one is fresh.
const MOST_USED: usize = 50_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::attestation::Attestation;
    use crate::sip::event::{Flow, SessionId};
    use crate::sip::identity::Malformed;
    use crate::sip::passport::Claims;

    const URL: &str = "https://cert.example/a.pem";
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn claims() -> Claims {
        Claims {
            attestation: Attestation::Full,
            called: vec!["4971112345".to_owned()],
            issued: NOW.as_secs(),
            caller: "4930123456".to_owned(),
            origin: uuid::Uuid::from_u128(7),
        }
    }

    fn parties() -> Parties {
        let called = vec!["101".to_owned(), "+4971112345".to_owned()];
        Parties { caller: "+4930123456".to_owned(), called }
    }

    fn header(claims: &Claims, url: &str) -> String {
        Identity::write(&passport::token(&claims.unsigned(url), &[9; 64]), url)
    }

    fn incoming(call_id: &str, headers: &[&str]) -> Incoming {
        let line = |value: &&str| ("identity".to_owned(), (*value).to_owned());
        let local = "192.0.2.1:5060".parse().expect("an address");
        Incoming {
            session: SessionId(1),
            flow: Flow::udp(local, local),
            phone: None,
            trunk: None,
            request_uri: String::new(),
            called_user: String::new(),
            calling_user: String::new(),
            calling_name: None,
            sip_call_id: call_id.to_owned(),
            user_agent: None,
            headers: headers.iter().map(line).collect(),
            body: bytes::Bytes::new(),
            replaces: None,
        }
    }

    fn flaw(headers: &[&str]) -> Option<Flaw> {
        let checker = Checker::new(Duration::from_secs(60));
        let found = checker.examine(NOW, Policy::Require, &incoming("1", headers), &parties());
        found.err().and_then(|it| it.flaw)
    }

    fn flaw_of(change: impl FnOnce(&mut Claims)) -> Option<Flaw> {
        let mut claims = claims();
        change(&mut claims);
        flaw(&[&header(&claims, URL)])
    }

    #[test]
    fn numbers_time_and_certificate_must_be_those_of_the_call() {
        assert_eq!(flaw_of(|_| {}), None);
        assert_eq!(flaw_of(|it| it.called.insert(0, "1".to_owned())), None);
        assert_eq!(flaw_of(|it| it.issued -= 60), None);
        assert_eq!(flaw_of(|it| it.issued -= 61), Some(Flaw::Stale(61)));
        assert_eq!(flaw_of(|it| it.issued += 61), Some(Flaw::Stale(61)));
        assert!(matches!(flaw_of(|it| it.issued = u64::MAX), Some(Flaw::Stale(_))));
        assert_eq!(flaw_of(|it| it.caller.push('1')), Some(Flaw::OtherCaller));
        assert_eq!(flaw_of(|it| it.called[0].push('1')), Some(Flaw::OtherCalled));
        let other = header(&claims(), URL).replace("<https://cert.", "<https://evil.");
        assert_eq!(flaw(&[&other]), Some(Flaw::TwoCertificates));
    }

    #[test]
    fn of_several_headers_the_one_that_vouches_counts() {
        let good = header(&claims(), URL);
        let div = good.replace("ppt=shaken", "ppt=div");
        let compact = "..cc;info=<https://a>;ppt=shaken";
        assert_eq!(flaw(&[&div, compact, &good]), None);
        assert_eq!(flaw(&[]), Some(Flaw::Missing));
        assert_eq!(flaw(&[&div, &div]), Some(Flaw::OtherKind));
        for order in [[div.as_str(), compact], [compact, div.as_str()]] {
            assert_eq!(flaw(&order), Some(Flaw::Malformed(Malformed::Compact)));
        }
        let many = [div.as_str(); MOST_HEADERS];
        assert_eq!(flaw(&[&many[..], &[&good]].concat()), Some(Flaw::OtherKind));
        let rs256 = good.replace("alg=ES256", "alg=RS256");
        assert_eq!(flaw(&[&rs256]), Some(Flaw::Passport(passport::Flaw::Algorithm)));
    }

    #[test]
    fn a_signature_serves_one_call_which_may_come_again() {
        let mut checker = Checker::new(Duration::from_secs(60));
        let value = header(&claims(), URL);
        let mut check = |call_id: &str, signer: Result<String, Flaw>| {
            let call = incoming(call_id, &[&value]);
            let pending = checker.examine(NOW, Policy::Require, &call, &parties());
            checker.conclude(pending.expect("it needs a certificate"), signer)
        };
        let signer = || Ok("SPC 709J".to_owned());
        // Somebody else's signature uses nothing up.
        assert_eq!(check("2", Err(Flaw::Signature)).flaw, Some(Flaw::Signature));
        let passed = check("1", signer());
        assert_eq!((passed.verstat(), passed.refusal()), ("TN-Validation-Passed", None));
        assert_eq!(passed.said.map(|it| it.signer), signer().ok());
        assert_eq!(check("1", signer()).flaw, None);
        assert_eq!(check("2", signer()).flaw, Some(Flaw::Replayed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_header_breaks_the_checker(values in prop::collection::vec("\\PC{0,60}", 0..12)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            flaw(&values);
        }
    }
}
