//! The guard before the way out: which numbers may be called, and how often (T1). It is asked
//! before a leg becomes an INVITE.
//!
//! Nothing is allowed that is not on the list of the operator: without one, the country of the
//! server. Numbers that cost, and countries that stolen lines are made to call, are refused even
//! then, unless the list names them at least as exactly as the ranges of this file do.

pub mod purse;
pub mod ranges;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::ranges::{Class, Ranges};
use crate::base::country::Country;
use crate::base::destination::Destination;
use crate::base::recent::Recent;
use crate::call::admission::{Bucket, Budget};
use crate::call::numbering::{Format, Numbering};
use crate::dialplan::pattern::Match;
use crate::sip::event::SessionId;
use crate::sip::uri::Uri;

/// Stands before the way out.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    ranges: Ranges,
    calls: HashSet<SessionId>,
    minute: Option<Bucket>,
    hour: Option<Bucket>,
    /// The buckets of numbers that were called lately.
    numbers: Recent<u64, Bucket>,
    refused: u64,
}

/// What may be called.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server stands: national numbers are of this country.
    pub country: Country,
    /// The countries that may be called; without any and without `allow`, that of the server.
    pub countries: Vec<Country>,
    /// Further numbers in E.164 that may be called.
    pub allow: Vec<Match>,
    /// What may be called by a trunk that has a list of its own, in E.164 or as it is dialled
    /// there, by the trunk's name. Such a list takes the place of the others.
    pub trunks: HashMap<Arc<str>, Vec<Match>>,
    /// Classes of numbers that are refused.
    pub deny: Vec<Class>,
    /// The most calls out at once.
    pub max_calls: usize,
    /// The most calls out that begin within a minute.
    pub per_minute: u32,
    /// The most calls out that begin within an hour.
    pub per_hour: u32,
    /// The most calls to one number that begin within an hour.
    pub per_number: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            country: Country::default(),
            countries: Vec::new(),
            allow: Vec::new(),
            trunks: HashMap::new(),
            deny: Class::ALL.to_vec(),
            max_calls: 20,
            per_minute: 30,
            per_hour: 300,
            per_number: 20,
        }
    }
}

/// Why a call does not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The list of what may be called does not have it.
    #[error("the number is not on the list of what may be called")]
    NotListed,
    /// It is of a class that is refused.
    #[error("{} numbers are not called", .0.name())]
    Refused(Class),
    /// As many calls out as may be are up.
    #[error("too many calls out at once")]
    TooMany,
    /// As many calls out as may be have begun lately.
    #[error("too many calls out in a short time")]
    TooFast,
    /// This number was called too often lately.
    #[error("too many calls to this number in a short time")]
    TooOften,
}

impl Guard {
    /// Makes a guard.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ranges: Ranges::known(),
            calls: HashSet::new(),
            minute: None,
            hour: None,
            numbers: Recent::holding(MOST_NUMBERS),
            refused: 0,
        }
    }

    /// Lets a leg out, or says why not. Legs that cost nothing are let out uncounted.
    ///
    /// # Errors
    /// With the reason, for people.
    pub fn admit(
        &mut self,
        now: Instant,
        session: SessionId,
        destination: &Destination,
    ) -> Result<(), Denial> {
        let judged = self.judge(destination).and_then(|number| match number {
            Some(number) => self.count(now, session, &number),
            None => Ok(()),
        });
        if judged.is_err() {
            self.refused = self.refused.saturating_add(1);
        }
        judged
    }

    /// A leg is over; others are let out.
    pub fn over(&mut self, session: SessionId) {
        self.calls.remove(&session);
    }

    /// How many legs were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether a destination may be called; gives the number, if it is one that may cost.
    ///
    /// # Errors
    /// With the reason, for people.
    pub fn judge(&self, destination: &Destination) -> Result<Option<String>, Denial> {
        match destination {
            Destination::Tel(number) => self.listed(number.to_e164(), &self.general()),
            Destination::Trunk { trunk, number } => match self.settings.trunks.get(&**trunk) {
                Some(own) => self.listed(number, &own.iter().map(Listed::of).collect::<Vec<_>>()),
                None => self.listed(number, &self.general()),
            },
            Destination::Sip(uri) => self.harmless(uri),
            Destination::Phone(_)
            | Destination::Group(_)
            | Destination::Agent(_)
            | Destination::Squad(_)
            | Destination::Menu(_)
            | Destination::Flow(_)
            | Destination::Voicemail(_)
            | Destination::Conference(_)
            | Destination::Queue(_)
            | Destination::Webhook(_)
            | Destination::Stream(_)
            | Destination::OpenAi(_)
            | Destination::Drill(_)
            | Destination::Reject(_)
            | Destination::Busy
            | Destination::HangUp(_) => Ok(None),
        }
    }

    fn listed(&self, dialled: &str, list: &[Listed<'_>]) -> Result<Option<String>, Denial> {
        let number = self.numbering().read(dialled);
        let digits: String = dialled.chars().filter(char::is_ascii_digit).collect();
        if self.ranges.is_emergency(&digits, self.settings.country.code) || self.is_sos(&number) {
            self.is_denied(Class::Emergency)?;
        }
        let fits = list.iter().filter(|entry| entry.fits(&number) || entry.fits(dialled));
        let exactness = fits.map(Listed::exactness).max().ok_or(Denial::NotListed)?;
        match self.ranges.of(&number) {
            Some((class, length)) if length > exactness => self.is_denied(class)?,
            Some(_) | None => {}
        }
        Ok(Some(number))
    }

    /// A SIP address is no number, but one that looks like a number that costs is not called.
    fn harmless(&self, uri: &str) -> Result<Option<String>, Denial> {
        let user = Uri::parse(uri).map(|uri| uri.user_unescaped().into_owned());
        let number = self.numbering().read(&user.unwrap_or_default());
        match self.ranges.of(&number) {
            Some((class, _)) => self.is_denied(class).map(|()| Some(number)),
            None => Ok(None),
        }
    }

    fn is_denied(&self, class: Class) -> Result<(), Denial> {
        if self.settings.deny.contains(&class) { Err(Denial::Refused(class)) } else { Ok(()) }
    }

    /// Whether a number is that of those who save lives, written as if it had a country.
    fn is_sos(&self, number: &str) -> bool {
        let country = self.settings.country;
        let own = number.strip_prefix('+').and_then(|it| it.strip_prefix(country.calling_code));
        own.is_some_and(|digits| self.ranges.is_emergency(digits, country.code))
    }

    fn general(&self) -> Vec<Listed<'_>> {
        let Settings { country, countries, allow, .. } = &self.settings;
        let home = (countries.is_empty() && allow.is_empty()).then_some(country);
        let countries = countries.iter().chain(home).map(|it| Listed::Country(it.calling_code));
        countries.chain(allow.iter().map(Listed::of)).collect()
    }

    fn numbering(&self) -> Numbering {
        Numbering { country: self.settings.country, format: Format::National }
    }

    fn count(&mut self, now: Instant, session: SessionId, number: &str) -> Result<(), Denial> {
        if self.calls.len() >= self.settings.max_calls {
            return Err(Denial::TooMany);
        }
        let minute = Budget::within(self.settings.per_minute, MINUTE);
        let hour = Budget::within(self.settings.per_hour, HOUR);
        let take = |bucket: &mut Option<Bucket>, budget: Budget| {
            bucket.get_or_insert_with(|| Bucket::full(now, budget)).take(now, budget)
        };
        if !take(&mut self.minute, minute) || !take(&mut self.hour, hour) {
            return Err(Denial::TooFast);
        }
        let mut hasher = DefaultHasher::new();
        number.hash(&mut hasher);
        let budget = Budget::within(self.settings.per_number, HOUR);
        let bucket = self.numbers.entry(hasher.finish(), || Bucket::full(now, budget));
        if !bucket.take(now, budget) {
            return Err(Denial::TooOften);
        }
        self.calls.insert(session);
        Ok(())
    }
}

/// An entry of a list of what may be called.
enum Listed<'a> {
    Country(&'a str),
    Pattern(&'a Match),
}

impl<'a> Listed<'a> {
    fn of(pattern: &'a Match) -> Self {
        Self::Pattern(pattern)
    }

    fn fits(&self, number: &str) -> bool {
        match self {
            Self::Country(code) => {
                number.strip_prefix('+').is_some_and(|digits| digits.starts_with(code))
            }
            Self::Pattern(pattern) => pattern.matches(number),
        }
    }

    /// How many characters of a number it names, the plus included.
    fn exactness(&self) -> usize {
        match self {
            Self::Country(code) => code.len() + 1,
            Self::Pattern(pattern) => exactness(pattern),
        }
    }
}

/// How many characters of a number a pattern names, the plus included.
fn exactness(pattern: &Match) -> usize {
    let literal = |c: &char| c.is_ascii_digit() || *c == '+';
    pattern.text().chars().take_while(literal).count()
}

const MINUTE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// How many numbers are remembered that were called lately.
const MOST_NUMBERS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guard(settings: Settings) -> Guard {
        Guard::new(settings)
    }

    fn patterns(texts: &[&str]) -> Vec<Match> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    fn judge(guard: &Guard, destination: &str) -> Result<(), Denial> {
        guard.judge(&destination.parse().expect(destination)).map(|_| ())
    }

    #[test]
    fn without_a_list_only_the_own_country_is_called_and_nothing_that_costs() {
        let guard = guard(Settings::default());
        for good in
            ["tel:+4971112345", "trunk:carrier/071112345", "trunk:a/004971112345", "phone:1"]
        {
            assert_eq!(judge(&guard, good), Ok(()), "{good}");
        }
        for (bad, class) in [
            ("tel:+4990012345678", Class::Premium),
            ("trunk:carrier/0900123456", Class::Premium),
            ("trunk:carrier/004990012345678", Class::Premium),
            ("tel:+491371234567", Class::Premium),
            ("trunk:carrier/110", Class::Emergency),
            ("trunk:carrier/112", Class::Emergency),
            ("trunk:carrier/+112", Class::Emergency),
            ("tel:+49112", Class::Emergency),
            ("sip:0900123456@192.0.2.1", Class::Premium),
            ("sip:%2B881612345678@192.0.2.1", Class::Satellite),
        ] {
            assert_eq!(judge(&guard, bad), Err(Denial::Refused(class)), "{bad}");
        }
        for far in ["tel:+12125551234", "tel:+5371234567", "trunk:a/0015551234567", "trunk:a/*97"] {
            assert_eq!(judge(&guard, far), Err(Denial::NotListed), "{far}");
        }
        assert_eq!(judge(&guard, "sip:sales@example.com"), Ok(()));
        assert_eq!(judge(&guard, "sip:2000@10.0.0.5"), Ok(()));
    }

    #[test]
    fn a_list_opens_what_it_names_and_costly_ranges_only_when_it_names_them_exactly() {
        let listed =
            |texts: &[&str]| guard(Settings { allow: patterns(texts), ..Settings::default() });
        let everything = listed(&["*"]);
        assert_eq!(judge(&everything, "tel:+12125551234"), Ok(()));
        let refused = Err(Denial::Refused(Class::Fraud));
        assert_eq!(judge(&everything, "tel:+5371234567"), refused);
        assert_eq!(judge(&listed(&["+53*"]), "tel:+5371234567"), Ok(()));
        assert_eq!(judge(&listed(&["+1*"]), "tel:+18765551234"), refused);
        assert_eq!(judge(&listed(&["+1*"]), "tel:+4971112345"), Err(Denial::NotListed));
        assert_eq!(judge(&listed(&["+4990012345"]), "tel:+4990012345"), Ok(()));
        let cuba = "LV".parse().expect("a country");
        let countries = guard(Settings { countries: vec![cuba], ..Settings::default() });
        assert_eq!(judge(&countries, "tel:+37167000000"), Ok(()));
        assert_eq!(judge(&countries, "tel:+4971112345"), Err(Denial::NotListed));
    }

    #[test]
    fn a_trunk_may_have_a_list_of_its_own() {
        let trunks = HashMap::from([(Arc::from("pbx"), patterns(&["_1XX", "*97"]))]);
        let guard = guard(Settings { trunks, ..Settings::default() });
        assert_eq!(judge(&guard, "trunk:pbx/101"), Ok(()));
        assert_eq!(judge(&guard, "trunk:pbx/*97"), Ok(()));
        assert_eq!(judge(&guard, "trunk:pbx/071112345"), Err(Denial::NotListed));
        assert_eq!(judge(&guard, "trunk:pbx/112"), Err(Denial::Refused(Class::Emergency)));
        assert_eq!(judge(&guard, "trunk:other/101"), Err(Denial::NotListed));
    }

    #[test]
    fn calls_out_are_counted_at_once_by_the_hour_and_by_number() {
        let settings =
            Settings { max_calls: 3, per_minute: 5, per_number: 2, ..Settings::default() };
        let (mut guard, start) = (guard(settings), Instant::now());
        let mut session = 0;
        let mut call = |guard: &mut Guard, at: u64, number: &str| {
            session += 1;
            let destination = format!("tel:{number}").parse().expect(number);
            guard.admit(start + Duration::from_secs(at), SessionId(session), &destination)
        };
        assert_eq!(call(&mut guard, 0, "+4971112345"), Ok(()));
        assert_eq!(call(&mut guard, 0, "+4971112345"), Ok(()));
        assert_eq!(call(&mut guard, 0, "+4971112345"), Err(Denial::TooOften));
        assert_eq!(call(&mut guard, 0, "+4971112346"), Ok(()));
        assert_eq!(call(&mut guard, 0, "+4971112347"), Err(Denial::TooMany));
        (1..4).for_each(|session| guard.over(SessionId(session)));
        assert_eq!(call(&mut guard, 0, "+4971112347"), Ok(()));
        assert_eq!(call(&mut guard, 0, "+4971112348"), Err(Denial::TooFast));
        assert_eq!(call(&mut guard, 12, "+4971112348"), Ok(()));
        assert_eq!(guard.refused(), 3);
    }

    #[test]
    fn a_hundred_thousand_numbers_are_bounded() {
        let settings = Settings {
            max_calls: usize::MAX,
            per_minute: u32::MAX,
            per_hour: u32::MAX,
            ..Settings::default()
        };
        let (mut guard, now) = (guard(settings), Instant::now());
        for number in 0..100_000_u64 {
            let destination = format!("tel:+49711{number:06}").parse().expect("a number");
            guard.admit(now, SessionId(1), &destination).expect("there is room");
        }
        assert!(guard.numbers.len() <= MOST_NUMBERS);
        assert_eq!(guard.calls.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_disguise_opens_the_way_to_numbers_that_cost(
            rest in "[0-9]{6,8}",
            prefix in prop::sample::select(vec!["+49900", "0049900", "0900", "+49137", "0137"]),
            gaps in prop::collection::vec(0_usize..12, 0..3),
            gap in prop::sample::select(vec![' ', '-', '.', '/', '(']),
        ) {
            let mut number = format!("{prefix}{rest}");
            for at in gaps {
                number.insert(at.min(number.len()), gap);
            }
            let guard = guard(Settings::default());
            let destination = Destination::Trunk { trunk: "carrier".to_owned(), number };
            prop_assert!(guard.judge(&destination).is_err());
        }
    }
}
