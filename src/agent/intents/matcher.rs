//! Finds what a transcript means: a whole phrase if it is one, else the closest intent by words.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Part, Pattern, Reach};
use super::slot::{Kind, Slot};
use super::tongue::{Global, Tongue};

/// The phrases of one intent, in plain words.
#[derive(Debug, Clone)]
pub struct Phrases {
    /// The phrases.
    pub phrases: Vec<Pattern>,
    /// The slots by name, in the order in which they are asked for.
    pub slots: Vec<(String, Slot)>,
}

/// Values of slots by name.
pub type Values = BTreeMap<String, String>;

/// An intent was meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Its place in the list of intents.
    pub intent: usize,
    /// The values that were said.
    pub slots: Values,
    /// 1.0 for a whole phrase, less for a similar one.
    pub score: f32,
}

/// The matcher of an agent.
#[derive(Debug, Clone)]
pub struct Matcher {
    tongue: Tongue,
    intents: Vec<Phrases>,
    globals: Vec<(Global, Pattern)>,
    before: Pattern,
    after: Pattern,
    preposition: Pattern,
    /// Every word of the phrases with its weight.
    vocabulary: Vec<(String, f32)>,
    ways: Vec<Way>,
}

/// One way to say an intent, as places in the vocabulary.
#[derive(Debug, Clone)]
struct Way {
    intent: usize,
    words: Vec<usize>,
    slots: usize,
    negated: bool,
}

/// The lowest score that counts.
const THRESHOLD: f32 = 0.62;

/// How far the best intent must be ahead of the next.
const MARGIN: f32 = 0.08;

/// How much of the score is lost if the words that match are few among those said.
const DILUTION: f32 = 0.45;

/// A caller who says little more than one distinct word means it: "appointment, please".
const DISTINCT: f32 = 0.8;
const KEYWORD_PRECISION: f32 = 0.6;
const KEYWORD_SCORE: f32 = 0.7;

/// What remains of the score if the caller says "not" and the phrase does not.
const NEGATED: f32 = 0.6;

/// The weight of a word that says little, of an unknown word and of a slot.
const STOP_WEIGHT: f32 = 0.15;
const UNKNOWN_WEIGHT: f32 = 0.35;
const SLOT_WEIGHT: f32 = 0.8;

/// The most ways of one phrase and of one intent that are compared.
const MOST_WAYS: usize = 32;
const MOST_WAYS_OF_INTENT: usize = 200;

impl Matcher {
    /// Makes a matcher for some intents.
    pub fn new(intents: Vec<Phrases>, tongue: Tongue) -> Self {
        let built_in = |shape: &str| Pattern::built_in(shape).plain(tongue);
        let (vocabulary, ways) = index(&intents, tongue);
        Self {
            tongue,
            globals: tongue.globals().map(|(global, shape)| (global, built_in(shape))).to_vec(),
            before: built_in(tongue.before()),
            after: built_in(tongue.after()),
            preposition: built_in(tongue.preposition()),
            vocabulary,
            ways,
            intents,
        }
    }

    /// The intent whose phrase this is, from its first word to its last; polite words around it
    /// do not count. Of several, the one that takes most slots, then the first.
    pub fn exact(&self, tokens: &[String]) -> Option<Match> {
        let mut best: Option<Match> = None;
        for (intent, phrases) in self.intents.iter().enumerate() {
            let read = |name: &str, tokens: &[String]| {
                let slot = phrases.slots.iter().find(|(other, _)| other == name);
                slot.map(|(_, slot)| slot.read(tokens)).unwrap_or_default()
            };
            for reach in self.whole(&phrases.phrases, tokens, &read) {
                let slots: Values = reach.slots.into_iter().collect();
                if best.as_ref().is_none_or(|best| best.slots.len() < slots.len()) {
                    best = Some(Match { intent, slots, score: 1.0 });
                }
            }
        }
        best
    }

    /// What every agent understands.
    pub fn global(&self, tokens: &[String]) -> Option<Global> {
        let is = |pattern: &Pattern| {
            let pattern = std::slice::from_ref(pattern);
            !self.whole(pattern, tokens, &|_, _| Vec::new()).is_empty()
        };
        // A bare "yes" is no filler before something else.
        let plainly =
            self.globals.iter().find(|(_, shape)| shape.lengths(tokens).contains(&tokens.len()));
        plainly.or_else(|| self.globals.iter().find(|(_, shape)| is(shape))).map(|(g, _)| *g)
    }

    /// How many words at the start say no.
    pub fn refusal(&self, tokens: &[String]) -> usize {
        let no = self.globals.iter().filter(|(global, _)| *global == Global::No);
        no.flat_map(|(_, shape)| shape.lengths(tokens)).max().unwrap_or(0)
    }

    /// Whether the first words say yes and no later one turns it around.
    pub fn agreement(&self, tokens: &[String]) -> bool {
        let mut yes = self.globals.iter().filter(|(global, _)| *global == Global::Yes);
        yes.any(|(_, shape)| !shape.lengths(tokens).is_empty())
            && !tokens.iter().any(|word| self.tongue.negates(word))
    }

    /// The values in a text that is nothing but values for these slots, the answer to a question.
    pub fn answer(&self, tokens: &[String], wanted: &[(String, Slot)]) -> Option<Values> {
        let tails = self.tails(tokens);
        let (mut at, mut values) = (0, Values::new());
        loop {
            let rest = tokens.get(at..).unwrap_or_default();
            let next = wanted
                .iter()
                .filter(|(name, _)| !values.contains_key(name))
                .find_map(|(name, slot)| Some((name, slot.read(rest).into_iter().next()?)));
            if let Some((name, (length, value))) = next {
                values.insert(name.clone(), value);
                at += length.max(1);
                continue;
            }
            if !values.is_empty() && tails.contains(&at) {
                return Some(values);
            }
            let skipped = [&self.preposition, &self.before].map(|shape| shape.lengths(rest));
            match skipped.iter().flatten().max() {
                Some(length) if *length > 0 => at += length,
                _ => return None,
            }
        }
    }

    /// The values for these slots anywhere in a text. A single number is not a time unless a word
    /// such as "at" says so.
    pub fn values_in(&self, tokens: &[String], wanted: &[(String, Slot)]) -> (Values, Vec<usize>) {
        let (mut at, mut values, mut taken) = (0, Values::new(), Vec::new());
        while at < tokens.len() {
            let rest = tokens.get(at..).unwrap_or_default();
            let announced = at
                .checked_sub(1)
                .and_then(|before| tokens.get(before))
                .is_some_and(|word| self.tongue.announces_time(word));
            let found = wanted.iter().filter(|(name, _)| !values.contains_key(name)).find_map(
                |(name, slot)| {
                    let (length, value) = slot.read(rest).into_iter().next()?;
                    let sure = *slot.kind() != Kind::Time || length > 1 || announced;
                    sure.then_some((name, length.max(1), value))
                },
            );
            match found {
                Some((name, length, value)) => {
                    values.insert(name.clone(), value);
                    taken.extend(at..at + length);
                    at += length;
                }
                None => at += 1,
            }
        }
        (values, taken)
    }

    /// The intent whose words are closest, if it is close enough and no other is as close.
    pub fn closest(&self, tokens: &[String]) -> Option<Match> {
        let likeness = self.likeness(tokens);
        let negated = tokens.iter().any(|word| self.tongue.negates(word));
        let mut scores: Vec<(f32, usize, Values)> = Vec::new();
        for (intent, phrases) in self.intents.iter().enumerate() {
            let (values, taken) = self.values_in(tokens, &phrases.slots);
            let said =
                Said { tokens, likeness: &likeness, taken: &taken, found: values.len(), negated };
            let ways = self.ways.iter().filter(|way| way.intent == intent);
            let best = ways.map(|way| self.score(way, &said)).fold(0.0, f32::max);
            scores.push((best, intent, values));
        }
        scores.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
        let runner_up = scores.get(1).map_or(0.0, |(score, _, _)| *score);
        let (score, intent, slots) = scores.into_iter().next()?;
        let clear = score >= THRESHOLD && score - runner_up >= MARGIN;
        clear.then_some(Match { intent, slots, score })
    }

    /// Whole phrases with polite words around them.
    fn whole(
        &self,
        patterns: &[Pattern],
        tokens: &[String],
        read: &super::pattern::ReadSlot<'_>,
    ) -> Vec<Reach> {
        let starts = self.starts(tokens);
        let tails = self.tails(tokens);
        let from: Vec<Reach> =
            starts.into_iter().map(|at| Reach { at, slots: Vec::new() }).collect();
        let reached = patterns.iter().flat_map(|pattern| pattern.walk(tokens, from.clone(), read));
        reached.filter(|reach| tails.contains(&reach.at)).collect()
    }

    /// Where a phrase may begin: at the start, and after each polite word there.
    fn starts(&self, tokens: &[String]) -> Vec<usize> {
        let mut starts = vec![0];
        let mut next = 0;
        while let Some(at) = starts.get(next).copied() {
            for length in self.before.lengths(tokens.get(at..).unwrap_or_default()) {
                if !starts.contains(&(at + length)) {
                    starts.push(at + length);
                }
            }
            next += 1;
        }
        starts
    }

    /// Where a phrase may end: at the end, and before each polite word there.
    fn tails(&self, tokens: &[String]) -> Vec<usize> {
        let mut tails = vec![tokens.len()];
        for at in (0..tokens.len()).rev() {
            let lengths = self.after.lengths(tokens.get(at..).unwrap_or_default());
            if lengths.iter().any(|length| tails.contains(&(at + length))) {
                tails.push(at);
            }
        }
        tails
    }

    /// For each word of the vocabulary, how like each token is to it: rows of tokens.
    fn likeness(&self, tokens: &[String]) -> Vec<Vec<f32>> {
        let row = |token: &String| {
            self.vocabulary.iter().map(|(word, _)| likeness(token, word)).collect()
        };
        tokens.iter().map(row).collect()
    }

    fn score(&self, way: &Way, said: &Said<'_>) -> f32 {
        let weight = |place: usize| self.vocabulary.get(place).map_or(0.0, |(_, weight)| *weight);
        let like = |token: usize, place: usize| {
            said.likeness.get(token).and_then(|row| row.get(place)).copied().unwrap_or(0.0)
        };
        let free = || (0..said.tokens.len()).filter(|token| !said.taken.contains(token));
        let found = said.found.min(way.slots) as f32 * SLOT_WEIGHT;
        let (mut hit, mut whole) = (found, way.slots as f32 * SLOT_WEIGHT);
        for place in &way.words {
            let best = free().map(|token| like(token, *place)).fold(0.0, f32::max);
            hit += weight(*place) * best;
            whole += weight(*place);
        }
        let recall = if whole > 0.0 { hit / whole } else { 0.0 };
        let distinct = hit - found >= DISTINCT;
        if !distinct && recall < THRESHOLD {
            return 0.0;
        }
        let (mut meant, mut all) = (found, found);
        for token in free() {
            let best = way.words.iter().map(|place| like(token, *place)).fold(0.0, f32::max);
            let weight = self.weight_said(token, said);
            meant += weight * best;
            all += weight;
        }
        let precision = if all > 0.0 { meant / all } else { 0.0 };
        let mut score = recall * (1.0 - DILUTION + DILUTION * precision);
        if distinct && precision >= KEYWORD_PRECISION {
            score = score.max(KEYWORD_SCORE);
        }
        if said.negated && !way.negated { score * NEGATED } else { score }
    }

    /// The weight of a word that was said: that of the word of the vocabulary that it is most like.
    fn weight_said(&self, token: usize, said: &Said<'_>) -> f32 {
        let row = said.likeness.get(token).map(Vec::as_slice).unwrap_or_default();
        let known = row.iter().zip(&self.vocabulary).filter(|(like, _)| **like > 0.0);
        let best = known.max_by(|one, two| one.0.total_cmp(two.0));
        match (best, said.tokens.get(token)) {
            (Some((_, (_, weight))), _) => *weight,
            (None, Some(word)) if self.tongue.is_stop_word(word) => STOP_WEIGHT,
            (None, _) => UNKNOWN_WEIGHT,
        }
    }
}

/// A transcript beside an intent.
struct Said<'a> {
    tokens: &'a [String],
    likeness: &'a [Vec<f32>],
    /// The places of words that are values of slots.
    taken: &'a [usize],
    found: usize,
    negated: bool,
}

/// The vocabulary with weights (a word that many intents share says less) and all ways.
fn index(intents: &[Phrases], tongue: Tongue) -> (Vec<(String, f32)>, Vec<Way>) {
    let mut ways = Vec::new();
    let mut users: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (intent, phrases) in intents.iter().enumerate() {
        let all = phrases.phrases.iter().flat_map(|phrase| phrase.ways(MOST_WAYS));
        for way in all.take(MOST_WAYS_OF_INTENT) {
            for part in &way {
                if let Part::Word(word) = part {
                    users.entry(word.clone()).or_default().insert(intent);
                }
            }
            ways.push((intent, way));
        }
    }
    let vocabulary: Vec<(String, f32)> = users
        .into_iter()
        .map(|(word, users)| {
            let shared = 1.0 / (users.len() as f32).sqrt();
            let weight = if tongue.is_stop_word(&word) { STOP_WEIGHT } else { shared };
            (word, weight)
        })
        .collect();
    let place = |word: &String| vocabulary.binary_search_by(|(other, _)| other.cmp(word)).ok();
    let ways = ways
        .into_iter()
        .map(|(intent, parts)| Way {
            intent,
            negated: parts.iter().any(|p| matches!(p, Part::Word(word) if tongue.negates(word))),
            slots: parts.iter().filter(|part| matches!(part, Part::Slot(_))).count(),
            words: parts
                .iter()
                .filter_map(|part| match part {
                    Part::Word(word) => place(word),
                    Part::Slot(_) => None,
                })
                .collect(),
        })
        .collect();
    (vocabulary, ways)
}

/// How like two words are, 0.0 to 1.0: equal, of one stem, or nearly spelled the same.
fn likeness(one: &str, two: &str) -> f32 {
    if one == two {
        return 1.0;
    }
    let (short, long) = (
        one.chars().count().min(two.chars().count()),
        one.chars().count().max(two.chars().count()),
    );
    if short < 4 {
        return 0.0;
    }
    let stem = one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count();
    if stem >= 4 && stem * 20 >= long * 11 {
        return 0.85;
    }
    if short < 5 || long > 24 {
        return 0.0;
    }
    let same = 1.0 - distance(one, two) as f32 / long as f32;
    if same >= 0.75 { same * 0.9 } else { 0.0 }
}

/// The number of characters to put in, take out or change to make one word of the other.
pub fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (above, a) in one.chars().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&two) {
            let best = (corner + usize::from(a != *b)).min(left + 1).min(*cell + 1);
            corner = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::agent::assistant::Intent;
    use crate::agent::intents::compile::{Compiled, Understood};
    use crate::base::language::Language;

    fn compiled(language: &str, intents: &[(&str, &[&str])]) -> Compiled {
        let intents: Vec<Intent> = intents
            .iter()
            .map(|(id, phrases)| Intent {
                id: (*id).to_owned(),
                phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
                say: vec!["Well.".to_owned()],
                ..Intent::default()
            })
            .collect();
        let language: Language = language.parse().expect("a language");
        Compiled::new(&intents, &language).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    fn english() -> Compiled {
        compiled(
            "en",
            &[
                (
                    "hours",
                    &[
                        "[what are] your opening hours",
                        "when are you open",
                        "when do you (open|close)",
                    ],
                ),
                (
                    "book",
                    &[
                        "[i would like to] book an appointment [on {day:weekday}] [at {time}]",
                        "my bike is broken",
                    ],
                ),
                ("prices", &["how much is a (repair|service)", "what are your prices"]),
                ("address", &["where are you [located]", "what is your address"]),
                ("pin", &["my number is {number:digits4}"]),
            ],
        )
    }

    fn german() -> Compiled {
        compiled(
            "de",
            &[
                ("zeiten", &["[wie sind] ihre öffnungszeiten", "wann haben sie (geöffnet|offen)"]),
                ("termin", &["ich möchte einen termin [am {tag:weekday}] [um {zeit:time}]"]),
                ("preise", &["was kostet eine reparatur", "wie teuer ist das"]),
            ],
        )
    }

    /// The intent, its slots in order, or what every agent understands; empty when nothing.
    fn meant(agent: &Compiled, text: &str) -> String {
        match agent.understand(text) {
            Understood::Intent(found) => {
                let id = &agent.intents()[found.intent].id;
                let slots: Vec<String> = found.slots.into_values().collect();
                [std::slice::from_ref(id), &slots[..]].concat().join(" ")
            }
            Understood::Global(global) => format!("{global:?}"),
            Understood::Nothing => String::new(),
        }
    }

    #[test]
    fn english_transcripts_are_understood() {
        let agent = english();
        for (text, wanted) in [
            ("What are your opening hours?", "hours"),
            ("Um, hello, when are you open, please?", "hours"),
            ("Could you tell me what your opening hours are?", "hours"),
            ("I was wondering when you close today.", "hours"),
            ("I'd like to book an appointment on Monday at 10:30.", "book Monday 10:30"),
            ("Can I book an appointment for Tuesday at three p.m.?", "book Tuesday 15:00"),
            ("appointment please", "book"),
            ("Hi, yeah, so my bike's tire is broken", "book"),
            ("How much would a repair be?", "prices"),
            ("What's the price?", "prices"),
            ("What's your adress?", "address"),
            ("Where are you located exactly?", "address"),
            ("My number is 7319", "pin 7319"),
            ("my number is seventy-three nineteen, thanks", "pin 7319"),
            ("Yes.", "Yes"),
            ("yeah, that's right", "Yes"),
            ("No, thanks.", "No"),
            ("Pardon?", ""),
            ("Say that again, please.", "Repeat"),
            ("What can I say?", "Help"),
            ("I want to talk to a human", "Human"),
            ("Operator!", "Human"),
            ("Goodbye", "Goodbye"),
            ("", ""),
            ("The weather is nice and my aunt plays chess.", ""),
            ("I do not want to book anything", ""),
            ("where can I buy milk", ""),
        ] {
            let wanted = if text == "Pardon?" { "Repeat" } else { wanted };
            assert_eq!(meant(&agent, text), wanted, "{text}");
        }
    }

    #[test]
    fn german_transcripts_are_understood() {
        let agent = german();
        for (text, wanted) in [
            ("Wie sind Ihre Öffnungszeiten?", "zeiten"),
            ("Ja, hallo, wann haben Sie denn geöffnet?", "zeiten"),
            ("Ich möchte einen Termin am Dienstag um halb zehn.", "termin Tuesday 9:30"),
            ("Ich hätte gern einen Termin um 15 Uhr", "termin 15:00"),
            ("Was kostet denn so eine Reparatur bei Ihnen?", "preise"),
            ("Ja, genau.", "Yes"),
            ("Nein danke", "No"),
            ("Wie bitte?", "Repeat"),
            ("Ich möchte mit einem Mitarbeiter sprechen", "Human"),
            ("Das Wetter ist schön", ""),
        ] {
            assert_eq!(meant(&agent, text), wanted, "{text}");
        }
    }

    #[test]
    fn two_intents_that_are_as_close_are_no_answer() {
        let agent = compiled("en", &[("in", &["red door left"]), ("out", &["red door right"])]);
        assert_eq!(meant(&agent, "the red door please now"), "");
        assert_eq!(meant(&agent, "the red door on the left now"), "in");
    }

    #[test]
    fn a_number_of_edits_is_counted() {
        for (one, two, edits) in
            [("", "abc", 3), ("abc", "", 3), ("weekdya", "weekday", 2), ("öl", "ol", 1)]
        {
            assert_eq!(distance(one, two), edits);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_transcript_means_the_same_twice(text in "\\PC{0,200}") {
            let agent = english();
            prop_assert_eq!(agent.understand(&text), agent.understand(&text));
            agent.is_complete(&text);
        }

        #[test]
        fn words_in_any_order_are_survived(
            words in proptest::collection::vec(
                "(book|on|monday|at|ten|thirty|my|number|is|seven|please|yes|no|not|open|[0-9]{1,5}|a|m)",
                0..90,
            )
        ) {
            english().understand(&words.join(" "));
        }
    }
}
