//! What an INVITE of a trunk says of caller and called.

use std::collections::BTreeSet;

use super::{DidPlace, Profile};
use crate::base::template::{self, Variables};
use crate::sip::address::{NameAddr, addresses};
use crate::sip::event::Incoming;
use crate::sip::uri::{Host, Uri};

/// Who calls whom, as a trunk says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The number or extension called.
    pub called: String,
    /// The number that calls; `anonymous` when it is withheld.
    pub caller: String,
    /// The caller's name.
    pub name: Option<String>,
    /// Whether the caller wants to be nobody.
    pub is_anonymous: bool,
    /// The number that the call was forwarded from.
    pub diverted_by: Option<String>,
    /// The number that calls even if it is withheld: for those who check it, and for nobody else.
    pub caller_behind: String,
    /// The number in To.
    pub addressed: String,
}

/// Reads an INVITE as the profile of its trunk wants it read.
pub fn read(profile: &Profile, incoming: &Incoming) -> Said {
    let (caller, name) = caller(profile, incoming);
    let is_anonymous = is_anonymous(incoming);
    let addressed = address_user(incoming, "To").unwrap_or_default();
    Said {
        called: called(profile, incoming),
        caller: if is_anonymous { "anonymous".to_owned() } else { caller.clone() },
        name: name.filter(|_| !is_anonymous),
        is_anonymous,
        diverted_by: diverted_by(profile, incoming),
        caller_behind: caller,
        addressed: profile.numbering.read(&addressed),
    }
}

/// What templates may name of an INVITE: its X-headers and who forwarded it, the first of each.
pub fn header_variables(incoming: &Incoming) -> Variables {
    let is_told = |name: &str| {
        let is_own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        is_own || TOLD.iter().any(|told| told.eq_ignore_ascii_case(name))
    };
    let told = incoming.headers.iter().filter(|(name, _)| is_told(name)).take(MOST_VARIABLES);
    let mut known = BTreeSet::new();
    let first = told.filter(|(name, _)| known.insert(name.to_ascii_lowercase()));
    let clean = |value: &str| value.chars().filter(|letter| !letter.is_control()).collect();
    first.map(|(name, value)| (template::header(name), clean(value))).collect()
}

fn called(profile: &Profile, incoming: &Incoming) -> String {
    let tells = |user: &String| !user.is_empty() && !is_account(profile, user);
    let place = |place: &DidPlace| match place {
        DidPlace::RequestUri => Some(incoming.called_user.clone()),
        DidPlace::To => address_user(incoming, "To"),
        DidPlace::PCalledPartyId => address_user(incoming, "P-Called-Party-ID"),
    };
    let places: &[DidPlace] = match (&profile.did_from[..], &*profile.contact_user) {
        ([], "") => &[DidPlace::RequestUri],
        // A registrar writes our Contact into the Request-URI.
        ([], _) => &[DidPlace::RequestUri, DidPlace::PCalledPartyId, DidPlace::To],
        (places, _) => places,
    };
    let found = places.iter().filter_map(place).find(tells);
    let called = found.or_else(|| profile.line.clone());
    profile.numbering.read(&called.unwrap_or_else(|| incoming.called_user.clone()))
}

/// Whether a user part names our account there and no number that was dialled.
fn is_account(profile: &Profile, user: &str) -> bool {
    let is_own = |own: &str| !own.is_empty() && own.eq_ignore_ascii_case(user);
    is_own(&profile.contact_user)
        || (is_own(&profile.user) && !profile.numbering.read(user).starts_with('+'))
}

fn caller(profile: &Profile, incoming: &Incoming) -> (String, Option<String>) {
    let asserted = profile.is_trusted.then(|| {
        ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"]
            .into_iter()
            .find_map(|name| first_address(incoming, name))
    });
    let (user, name) = asserted
        .flatten()
        .unwrap_or_else(|| (incoming.calling_user.clone(), incoming.calling_name.clone()));
    let name = name.or_else(|| incoming.calling_name.clone());
    (profile.numbering.read(&user), name)
}

fn is_anonymous(incoming: &Incoming) -> bool {
    let asks = header(incoming, "Privacy").is_some_and(|privacy| {
        let wishes = |wish: &str| matches!(wish, "id" | "user" | "header" | "full");
        privacy.split([';', ',']).any(|wish| wishes(wish.trim().to_ascii_lowercase().as_str()))
    });
    let from = header(incoming, "From").and_then(|from| NameAddr::parse(from.as_bytes()));
    let hides = from.is_some_and(|from| {
        let host = matches!(from.uri().host(), Some(Host::Name(name))
            if name.eq_ignore_ascii_case("anonymous.invalid"));
        host || from.uri().user_unescaped().eq_ignore_ascii_case("anonymous")
    });
    asks || hides
}

/// Diversion, its first value: who forwarded the call last; else the last but one of History-Info
/// (RFC 7044), whose last entry is where the call is now.
fn diverted_by(profile: &Profile, incoming: &Incoming) -> Option<String> {
    let diversion = first_address(incoming, "Diversion").map(|(user, _)| user);
    let history = || {
        let entries: Vec<String> = values(incoming, "History-Info")
            .flat_map(addresses)
            .take(MOST_HISTORY)
            .map(|entry| user_of(&entry.uri()))
            .collect();
        entries.iter().rev().nth(1).cloned()
    };
    let user = diversion.or_else(history).filter(|user| !user.is_empty())?;
    Some(profile.numbering.read(&user))
}

fn address_user(incoming: &Incoming, name: &str) -> Option<String> {
    first_address(incoming, name).map(|(user, _)| user)
}

fn first_address(incoming: &Incoming, name: &str) -> Option<(String, Option<String>)> {
    let address = values(incoming, name).flat_map(addresses).next()?;
    Some((user_of(&address.uri()), address.display().map(std::borrow::Cow::into_owned)))
}

fn user_of(uri: &Uri<'_>) -> String {
    uri.user_unescaped().split(';').next().unwrap_or_default().to_owned()
}

fn header<'a>(incoming: &'a Incoming, name: &str) -> Option<&'a str> {
    values(incoming, name).next()
}

fn values<'a>(incoming: &'a Incoming, name: &str) -> impl Iterator<Item = &'a str> {
    let named = incoming.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str())
}

/// Headers that templates may name beside those that begin with X-.
const TOLD: [&str; 5] = ["User-to-User", "Subject", "Diversion", "Alert-Info", "P-Called-Party-ID"];

/// How many headers templates may name.
const MOST_VARIABLES: usize = 64;

/// How many entries of a history are read.
const MOST_HISTORY: usize = 16;
