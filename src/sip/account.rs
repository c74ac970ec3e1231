//! Who we are at a peer, and what it may ask us: credentials are bound to one trunk, its realms
//! and its address (T6), and a nonce is used again only where a refresh saves a round trip.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::digest::{
    Authorization, Challenge, Credentials, Ha1, Hash, Side, Signed, Turn, strongest,
};
use super::message::{Message, StartLine};
use crate::base::id::SessionId;
use crate::base::random::Random;
use crate::base::secret::ExposeSecret;

/// The credentials of one trunk.
#[derive(Debug, Clone)]
pub struct Account {
    /// The trunk's name.
    pub name: Arc<str>,
    /// Who we are there.
    pub credentials: Credentials,
    /// The realms that may ask; empty: those of the first challenge, and from then on no other.
    pub realms: Vec<String>,
}

impl Account {
    /// The user part of our Contact at that trunk: always the same, so that a restart leaves no
    /// second binding behind, and known to nobody but the registrar.
    pub fn contact_user(&self) -> String {
        let Credentials { username, password } = &self.credentials;
        let secret = Ha1::new(Hash::Sha256, [username, "contact", password.expose_secret()]);
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let name: String = self.name.chars().filter(|letter| word(*letter)).take(40).collect();
        format!("voxtrunk-{name}-{}", secret.as_str().get(..16).unwrap_or_default())
    }
}

/// Every account in use, what it was asked, and which session it speaks for.
#[derive(Debug, Default)]
pub struct Wallet {
    purses: HashMap<Arc<str>, Purse>,
    bound: HashMap<SessionId, Bound>,
}

/// An account and the address that may ask it.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The account.
    pub account: Arc<Account>,
    /// The peer that may challenge it.
    pub peer: IpAddr,
}

/// How often one request was sent again because of challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// How often.
    pub count: u8,
    /// Whether one of them renewed a nonce that had gone stale: that happens once.
    pub renewed: bool,
}

/// The answers to a challenge: header by header, with the side and realm that each is for.
#[derive(Debug)]
pub struct Answers {
    /// The values of Authorization and Proxy-Authorization.
    pub values: Vec<(Side, String, String)>,
    /// How often the request has been sent again, this time included.
    pub tries: Tries,
}

/// Why a challenge is not answered: the 401 or 407 stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// The realm is none of the account's.
    Realm,
    /// It was answered already, and the answer was not liked.
    Rejected,
    /// There is no challenge that can be answered.
    Nothing,
}

#[derive(Debug, Default)]
struct Purse {
    realms: Vec<String>,
    remembered: Vec<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    side: Side,
    challenge: Challenge,
    uses: u32,
}

impl Wallet {
    /// Lets an account speak for a session.
    pub fn bind(&mut self, session: SessionId, bound: Bound) {
        if self.bound.len() < MOST_BOUND {
            self.bound.insert(session, bound);
        }
    }

    /// Who speaks for a session.
    pub fn bound(&self, session: SessionId) -> Option<&Bound> {
        self.bound.get(&session)
    }

    /// The session is over.
    pub fn release(&mut self, session: SessionId) {
        self.bound.remove(&session);
    }

    /// Answers the challenges in `response` to `request`, which was sent again `tries` times.
    ///
    /// # Errors
    /// When no challenge may be answered.
    pub fn answer(
        &mut self,
        account: &Account,
        (response, request): (&Message, &Message),
        tries: Tries,
        random: &mut Random,
    ) -> Result<Answers, Distrust> {
        let signed = signed(request).ok_or(Distrust::Nothing)?;
        if tries.count >= MOST_TRIES {
            return Err(Distrust::Rejected);
        }
        let challenges = strongest(response);
        let realms: Vec<String> =
            challenges.iter().map(|(_, challenge)| challenge.realm.clone()).collect();
        let purse = self.purse(account);
        if purse.realms.is_empty() {
            purse.realms = realms;
        }
        let (mut values, mut renewed) = (Vec::new(), tries.renewed);
        let mut distrust = Distrust::Nothing;
        for (side, challenge) in challenges {
            if !purse.realms.contains(&challenge.realm) {
                distrust = Distrust::Realm;
                continue;
            }
            if let Some(sent) = sent_answer(request, side, &challenge.realm) {
                // A nonce that we used again may have died in between: some servers forget to
                // say so. One that was new to this request may go stale once (22.4).
                let was_reused = sent.count.is_some_and(|count| count.number > 1);
                let may =
                    sent.nonce != challenge.nonce && (was_reused || (challenge.stale && !renewed));
                if !may {
                    return Err(Distrust::Rejected);
                }
                renewed = true;
            }
            let realm = challenge.realm.clone();
            let value = purse.first_use(side, challenge, (account, &signed), random);
            values.push((side, realm, value));
        }
        if values.is_empty() {
            return Err(distrust);
        }
        Ok(Answers { values, tries: Tries { count: tries.count.saturating_add(1), renewed } })
    }

    /// Answers for a new request what the account was asked before, without being asked.
    pub fn foresee(
        &mut self,
        account: &Account,
        signed: &Signed<'_>,
        random: &mut Random,
    ) -> Vec<(Side, String)> {
        let purse = self.purse(account);
        let again =
            purse.remembered.iter_mut().filter(|known| !known.challenge.qualities.is_empty());
        again
            .map(|known| {
                known.uses = known.uses.saturating_add(1);
                let cnonce = random.token(24);
                let turn = Turn { number: known.uses, cnonce: &cnonce };
                (known.side, known.challenge.answer(&account.credentials, signed, turn))
            })
            .collect()
    }

    /// Forgets the nonces of an account: they were not liked.
    pub fn forget(&mut self, account: &Account) {
        self.purse(account).remembered.clear();
    }

    fn purse(&mut self, account: &Account) -> &mut Purse {
        let purse = self.purses.entry(account.name.clone()).or_default();
        if !account.realms.is_empty() {
            purse.realms.clone_from(&account.realms);
        }
        purse
    }
}

impl Purse {
    fn first_use(
        &mut self,
        side: Side,
        challenge: Challenge,
        (account, signed): (&Account, &Signed<'_>),
        random: &mut Random,
    ) -> String {
        let cnonce = random.token(24);
        let turn = Turn { number: 1, cnonce: &cnonce };
        let value = challenge.answer(&account.credentials, signed, turn);
        let is_old =
            |known: &Remembered| known.side == side && known.challenge.realm == challenge.realm;
        self.remembered.retain(|known| !is_old(known));
        self.remembered.push(Remembered { side, challenge, uses: 1 });
        value
    }
}

/// What of our own request is signed.
pub fn signed(request: &Message) -> Option<Signed<'_>> {
    let StartLine::Request { method, uri } = request.start_line() else { return None };
    Some(Signed { method: method.as_str(), uri, body: request.body_octets() })
}

fn sent_answer(request: &Message, side: Side, realm: &str) -> Option<Authorization> {
    Authorization::of(request, side).into_iter().find(|sent| sent.realm == realm)
}

/// How many sessions may have an account.
const MOST_BOUND: usize = 50_000;

/// How often a request is sent again because of challenges: a proxy, a second one, the server,
/// and one of them with a stale nonce.
const MOST_TRIES: u8 = 4;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn account() -> Account {
        let credentials = Credentials { username: "us".into(), password: "pw".to_owned().into() };
        Account { name: "carrier".into(), credentials, realms: Vec::new() }
    }

    fn request(extra: &str) -> Message {
        let text = format!(
            "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n{extra}\
             Content-Length: 0\r\n\r\n"
        );
        Message::parse_datagram(&Bytes::from(text)).expect("a request")
    }

    fn challenge(fields: &str) -> Message {
        let text = format!(
            "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\
             WWW-Authenticate: Digest {fields}, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse_datagram(&Bytes::from(text)).expect("a response")
    }

    fn asked(
        wallet: &mut Wallet,
        fields: &str,
        request: &Message,
        tries: Tries,
    ) -> Result<Answers, Distrust> {
        wallet.answer(&account(), (&challenge(fields), request), tries, &mut Random::repeatable(1))
    }

    fn with(answers: &Answers) -> Message {
        request(&format!("Authorization: {}\r\n", answers.values[0].2))
    }

    #[test]
    fn a_wrong_password_is_told_once_and_not_again() {
        let mut wallet = Wallet::default();
        let fields = "realm=\"r\", nonce=\"1\"";
        let first = asked(&mut wallet, fields, &request(""), Tries::default()).expect("answered");
        let again = with(&first);
        let other = "realm=\"r\", nonce=\"2\"";
        for fields in [fields, other] {
            let second = asked(&mut wallet, fields, &again, first.tries);
            assert_eq!(second.expect_err("rejected"), Distrust::Rejected);
        }
    }

    #[test]
    fn a_stale_nonce_is_renewed_once() {
        let mut wallet = Wallet::default();
        let first = asked(&mut wallet, "realm=\"r\", nonce=\"1\"", &request(""), Tries::default());
        let first = first.expect("answered");
        let stale = "realm=\"r\", nonce=\"2\", stale=true";
        let second = asked(&mut wallet, stale, &with(&first), first.tries).expect("renewed");
        let stale = "realm=\"r\", nonce=\"3\", stale=true";
        let third = asked(&mut wallet, stale, &with(&second), second.tries);
        assert_eq!(third.expect_err("a loop"), Distrust::Rejected);
    }

    #[test]
    fn the_first_realm_stays_the_only_one() {
        let mut wallet = Wallet::default();
        let own = "realm=\"carrier\", nonce=\"1\"";
        asked(&mut wallet, own, &request(""), Tries::default()).expect("the first is believed");
        let foreign =
            asked(&mut wallet, "realm=\"evil\", nonce=\"2\"", &request(""), Tries::default());
        assert_eq!(foreign.expect_err("another realm"), Distrust::Realm);
        asked(&mut wallet, own, &request(""), Tries::default()).expect("still believed");
    }

    #[test]
    fn a_nonce_used_again_counts_up_and_may_die_without_a_word() {
        let mut wallet = Wallet::default();
        let fields = "realm=\"r\", nonce=\"1\"";
        asked(&mut wallet, fields, &request(""), Tries::default()).expect("answered");
        let plain = request("");
        let signed = signed(&plain).expect("a request");
        let mut random = Random::repeatable(2);
        let foreseen = wallet.foresee(&account(), &signed, &mut random);
        assert!(foreseen[0].1.contains("nc=00000002"), "{foreseen:?}");
        let sent = request(&format!("Authorization: {}\r\n", foreseen[0].1));
        let dead = asked(&mut wallet, "realm=\"r\", nonce=\"2\"", &sent, Tries::default());
        assert!(dead.expect("tried with the new one").values[0].2.contains("nc=00000001"));
    }
}
