//! Signatures of calls: checks those that arrive, and signs our own. Certificates are fetched
//! beside the shard, and each only once for all calls that wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::call::identity::Said;
use crate::call::stir::{Checker, Claim, Flaw, Parties, Pending, Policy, Verification};
use crate::engine::arrival::Arrival;
use crate::engine::clock;
use crate::net::foreign::{FetchError, Fetched, Foreign};
use crate::net::stir::authorities::Authorities;
use crate::net::stir::credential::Credential;
use crate::net::stir::key::Key;
use crate::sip::identity::Identity;
use crate::sip::passport::{self, Passport};

/// What is checked and signed.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What each trunk wants done about calls that come by it.
    pub policies: HashMap<Arc<str>, Policy>,
    /// Who signs the calls of each trunk.
    pub signers: HashMap<Arc<str>, Arc<Signer>>,
    /// Whom we believe.
    pub authorities: Authorities,
    /// How old a signature may be.
    pub freshness: Duration,
    /// What fetches certificates.
    pub foreign: Option<Foreign>,
}

/// Who signs.
#[derive(Debug)]
pub struct Signer {
    /// The key.
    pub key: Key,
    /// Where its certificate is.
    pub certificate: String,
}

/// Checks and signs.
#[derive(Debug)]
pub struct Stir {
    settings: Settings,
    checker: Checker,
    /// What is known of certificates, by their URLs.
    kept: HashMap<String, Kept>,
    /// The calls that wait for each certificate.
    waiting: HashMap<String, Vec<(Arrival, Pending)>>,
    running: JoinSet<(String, Result<Fetched, FetchError>)>,
}

/// What is known of a certificate for a while.
#[derive(Debug)]
struct Kept {
    until: Instant,
    found: Result<Credential, Flaw>,
}

impl Default for Stir {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Stir {
    /// Makes it.
    pub fn new(settings: Settings) -> Self {
        Self {
            checker: Checker::new(settings.freshness),
            settings,
            kept: HashMap::new(),
            waiting: HashMap::new(),
            running: JoinSet::new(),
        }
    }

    /// Checks the signature of a new call, if its trunk wants that; `None` while it waits for the
    /// certificate.
    pub fn check(&mut self, mut arrival: Arrival, said: Said) -> Option<Arrival> {
        let policy = self.settings.policies.get(&arrival.trunk.name).copied().unwrap_or_default();
        if policy == Policy::Off {
            return Some(arrival);
        }
        let parties =
            Parties { caller: said.caller_behind, called: vec![said.called, said.addressed] };
        let now = clock::since_epoch();
        match self.checker.examine(now, policy, &arrival.incoming, &parties) {
            Ok(pending) => self.with_certificate(arrival, pending),
            Err(verification) => {
                arrival.verification = Some(*verification);
                Some(arrival)
            }
        }
    }

    /// Waits for a certificate; gives the calls that waited for it. `None` when none is fetched.
    pub async fn next(&mut self) -> Option<Vec<Arrival>> {
        let (url, fetched) = self.running.join_next().await?.ok()?;
        let (now, lasts) = (clock::since_epoch(), lasts(&fetched));
        let found = match fetched {
            Ok(fetched) => {
                let judged = self.settings.authorities.judge(&fetched.body, now);
                judged.map_err(|why| Flaw::Credential(why.to_string()))
            }
            Err(FetchError::Refused(why)) => Err(Flaw::Address(why.to_owned())),
            Err(FetchError::Failed(why)) => Err(Flaw::Unreachable(why)),
        };
        let waiting = self.waiting.remove(&url).unwrap_or_default();
        let checked = waiting
            .into_iter()
            .map(|(arrival, pending)| self.conclude(arrival, pending, &found))
            .collect();
        if self.kept.len() >= MOST_KEPT {
            let now = clock::now();
            self.kept.retain(|_, kept| kept.until > now);
        }
        if self.kept.len() < MOST_KEPT {
            self.kept.insert(url, Kept { until: clock::now() + lasts, found });
        }
        Some(checked)
    }

    /// The header that proves who calls.
    pub fn sign(&self, claim: &Claim) -> Option<(String, String)> {
        let signer = self.settings.signers.get(&claim.trunk)?;
        let signed = claim.at(clock::since_epoch()).unsigned(&signer.certificate);
        let token = passport::token(&signed, &signer.key.sign(signed.as_bytes())?);
        Some(("Identity".to_owned(), Identity::write(&token, &signer.certificate)))
    }

    /// Goes on with what is known of the certificate, or has it fetched.
    fn with_certificate(&mut self, arrival: Arrival, pending: Pending) -> Option<Arrival> {
        let url = pending.passport.certificate.clone();
        if let Some(kept) = self.kept.remove(&url)
            && kept.until > clock::now()
        {
            let arrival = self.conclude(arrival, pending, &kept.found);
            self.kept.insert(url, kept);
            return Some(arrival);
        }
        let foreign = self.settings.foreign.clone();
        match (self.waiting.get_mut(&url), foreign) {
            (Some(waiting), _) if waiting.len() < MOST_WAITING => {
                waiting.push((arrival, pending));
                None
            }
            (None, Some(foreign)) if self.running.len() < MOST_FETCHES => {
                self.waiting.insert(url.clone(), vec![(arrival, pending)]);
                self.running.spawn(async move {
                    let fetched = foreign.fetch(&url, LARGEST).await;
                    (url, fetched)
                });
                None
            }
            _ => Some(self.conclude(arrival, pending, &Err(Flaw::Busy))),
        }
    }

    fn conclude(
        &mut self,
        mut arrival: Arrival,
        pending: Pending,
        found: &Result<Credential, Flaw>,
    ) -> Arrival {
        let signer = match found {
            Ok(credential) => judged(credential, &pending.passport),
            Err(flaw) => Err(flaw.clone()),
        };
        let verification: Verification = self.checker.conclude(pending, signer);
        arrival.verification = Some(verification);
        arrival
    }
}

/// Whom a certificate names, if the signature is that of its key and it may speak for the caller.
fn judged(credential: &Credential, passport: &Passport) -> Result<String, Flaw> {
    if !credential.is_good_at(clock::since_epoch()) {
        return Err(Flaw::Credential("it is not valid at this time".to_owned()));
    }
    if !credential.speaks_for(&passport.claims.caller) {
        return Err(Flaw::Credential("it is for other numbers".to_owned()));
    }
    if !credential.signed(passport.signed.as_bytes(), &passport.signature) {
        return Err(Flaw::Signature);
    }
    Ok(credential.holder())
}

/// For how long an answer counts: as the server says, but not for ever.
fn lasts(fetched: &Result<Fetched, FetchError>) -> Duration {
    match fetched {
        Ok(fetched) => fetched.max_age.unwrap_or(KEPT_FOR).clamp(SHORTEST, LONGEST),
        Err(_) => SHORTEST,
    }
}

/// The largest certificate with its chain, in octets.
const LARGEST: usize = 65_536;

/// How many certificates are fetched at once.
const MOST_FETCHES: usize = 16;

/// How many calls wait for one certificate.
const MOST_WAITING: usize = 64;

/// How many certificates are kept.
const MOST_KEPT: usize = 512;

/// For how long a certificate is kept when its server does not say.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// For how long it is kept at least, and what failed is not tried again: nobody makes us fetch for
/// every call.
const SHORTEST: Duration = Duration::from_secs(10);

/// For how long it is kept at most.
const LONGEST: Duration = Duration::from_secs(86_400);
