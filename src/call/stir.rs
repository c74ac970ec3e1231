//! STIR/SHAKEN: what a signature says of the caller's number, what follows from it, and what we
//! sign ourselves (RFC 8224, RFC 8588, ATIS-1000074).

mod checking;
mod signing;

pub use checking::{Checker, Parties, Pending};
pub use signing::{Claim, Signing};

use uuid::Uuid;

use crate::base::attestation::{Attestation, Attested};
use crate::sip::event::{Refusal, Warning};
use crate::sip::identity::Malformed;
use crate::sip::passport;

/// What a trunk wants done about the signatures of calls that come by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nobody looks.
    #[default]
    Off,
    /// They are checked, and the call is told what came of it.
    Verify,
    /// Calls without a good signature are refused.
    Require,
}

/// What came of checking a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// What is wrong, if something is.
    pub flaw: Option<Flaw>,
    /// Whether that refuses the call.
    pub policy: Policy,
    /// What is vouched for, as the token says; it means nothing when something is wrong.
    pub said: Option<Said>,
}

/// What a token says besides the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How far the signer vouches for the number.
    pub attestation: Attestation,
    /// Where the signer had the call from.
    pub origin: Uuid,
    /// Whom the certificate names: its service provider codes, or its subject.
    pub signer: String,
}

/// What is wrong with a call's signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is none.
    #[error("there is no Identity header")]
    Missing,
    /// There are some, of kinds that do not vouch for the caller.
    #[error("no Identity header is of kind shaken")]
    OtherKind,
    /// The header is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The token is none.
    #[error(transparent)]
    Passport(#[from] passport::Flaw),
    /// Header and token do not agree on where the certificate is.
    #[error("info and x5u name two certificates")]
    TwoCertificates,
    /// The certificate is where we do not go.
    #[error("the certificate's address is refused: {0}")]
    Address(String),
    /// The certificate is not there.
    #[error("the certificate cannot be had: {0}")]
    Unreachable(String),
    /// The certificate is nothing worth.
    #[error("the certificate is not believed: {0}")]
    Credential(String),
    /// It was signed too long ago, or is yet to be signed.
    #[error("the PASSporT is {} s off", .0)]
    Stale(u64),
    /// The signature is for somebody else's call.
    #[error("the PASSporT is for another caller")]
    OtherCaller,
    /// The signature is for a call to somebody else.
    #[error("the PASSporT is for another called number")]
    OtherCalled,
    /// The signature is not that of the certificate.
    #[error("the signature is wrong")]
    Signature,
    /// Another call had it.
    #[error("the PASSporT was used for another call")]
    Replayed,
    /// We have too much to check.
    #[error("too many certificates are being fetched")]
    Busy,
}

impl Flaw {
    /// The status that refuses such a call (RFC 8224 6.2.2, ATIS-1000074 5.3).
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing | Self::OtherKind => 428,
            Self::Malformed(Malformed::NoInfo)
            | Self::TwoCertificates
            | Self::Address(_)
            | Self::Unreachable(_) => 436,
            Self::Passport(passport::Flaw::Algorithm) | Self::Credential(_) => 437,
            Self::Malformed(Malformed::TooLong | Malformed::Compact | Malformed::Grammar)
            | Self::Passport(
                passport::Flaw::Encoding | passport::Flaw::Header | passport::Flaw::Claims,
            )
            | Self::OtherCaller
            | Self::OtherCalled
            | Self::Signature
            | Self::Replayed => 438,
            Self::Stale(_) => 403,
            Self::Busy => 503,
        }
    }

    /// The words that go with the status.
    fn phrase(&self) -> &'static str {
        match self.status() {
            403 => "Stale Date",
            428 => "Use Identity Header",
            436 => "Bad Identity Info",
            437 => "Unsupported Credential",
            438 => "Invalid Identity Header",
            _ => "Service Unavailable",
        }
    }
}

impl Verification {
    /// Nothing is wrong.
    pub fn passed(policy: Policy, said: Said) -> Self {
        Self { flaw: None, policy, said: Some(said) }
    }

    /// Something is.
    pub fn failed(policy: Policy, flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), policy, said: None }
    }

    /// The word that networks have for it (3GPP TS 24.229 7.2A.20, ATIS-1000074).
    pub fn verstat(&self) -> &'static str {
        match &self.flaw {
            None => "TN-Validation-Passed",
            Some(Flaw::Missing | Flaw::OtherKind | Flaw::Busy) => "No-TN-Validation",
            Some(_) => "TN-Validation-Failed",
        }
    }

    /// How far somebody whom we believe vouches for the number.
    pub fn attested(&self) -> Attested {
        let said = self.said.as_ref().filter(|_| self.flaw.is_none());
        said.map(|said| said.attestation).into()
    }

    /// How the call is refused, if it is.
    pub fn refusal(&self) -> Option<Refusal> {
        let flaw = self.flaw.as_ref().filter(|_| self.policy == Policy::Require)?;
        let warning = Warning { code: MISCELLANEOUS, text: flaw.to_string() };
        let retry_after = matches!(flaw, Flaw::Busy).then_some(2);
        let (status, reason) = (flaw.status(), self.reason());
        Some(Refusal { status, warning: Some(warning), retry_after, reason })
    }

    /// The value of a Reason header that tells the signer what is wrong (RFC 9410 4).
    pub fn reason(&self) -> Option<String> {
        let flaw = self.flaw.as_ref().filter(|flaw| !matches!(flaw, Flaw::Busy))?;
        Some(format!("STIR;cause={};text=\"{}\"", flaw.status(), flaw.phrase()))
    }
}

/// The warning code of whatever has no code of its own (RFC 3261 20.43).
const MISCELLANEOUS: u16 = 399;

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(policy: Policy, flaw: Flaw) -> Verification {
        Verification::failed(policy, flaw)
    }

    #[test]
    fn each_flaw_has_the_status_of_the_rfc_and_says_it_where_signatures_are_required() {
        for (flaw, status, verstat) in [
            (Flaw::Missing, 428, "No-TN-Validation"),
            (Flaw::OtherKind, 428, "No-TN-Validation"),
            (Flaw::Malformed(Malformed::NoInfo), 436, "TN-Validation-Failed"),
            (Flaw::Malformed(Malformed::Compact), 438, "TN-Validation-Failed"),
            (Flaw::Passport(passport::Flaw::Algorithm), 437, "TN-Validation-Failed"),
            (Flaw::Unreachable("404".to_owned()), 436, "TN-Validation-Failed"),
            (Flaw::Credential("expired".to_owned()), 437, "TN-Validation-Failed"),
            (Flaw::Stale(61), 403, "TN-Validation-Failed"),
            (Flaw::OtherCalled, 438, "TN-Validation-Failed"),
            (Flaw::Busy, 503, "No-TN-Validation"),
        ] {
            let required = failed(Policy::Require, flaw.clone());
            let refusal = required.refusal().expect("it is required");
            assert_eq!((refusal.status, required.verstat()), (status, verstat), "{flaw}");
            assert_eq!(refusal.warning.map(|it| it.text), Some(flaw.to_string()));
            assert_eq!(required.attested(), Attested::Nobody);
            assert_eq!(failed(Policy::Verify, flaw).refusal(), None);
        }
        let stale = failed(Policy::Verify, Flaw::Stale(90)).reason();
        assert_eq!(stale.as_deref(), Some("STIR;cause=403;text=\"Stale Date\""));
    }
}
