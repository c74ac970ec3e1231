//! Compiles an agent's intents once: into the grammar for recognisers, the matcher for open
//! transcripts, and the key terms for recognisers that take hints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::grammar;
use super::matcher::{Match, Matcher, Phrases, distance};
use super::pattern::{Part, Pattern, pointed_at};
use super::slot::{Kind, NAMES, Slot};
use super::tokens::tokens;
use super::tongue::{Global, Tongue};
use crate::agent::assistant::{Assistant, Intent};
use crate::agent::hearing::value::Context;
use crate::agent::lexicon::locale::Locale;
use crate::agent::tool::names;
use crate::base::language::Language;
use crate::base::template;

/// The intents of an agent, ready to be heard and matched.
#[derive(Debug, Clone)]
pub struct Compiled {
    tongue: Tongue,
    intents: Vec<CompiledIntent>,
    matcher: Matcher,
    grammar: Arc<str>,
    key_terms: Vec<String>,
}

/// What was made of one intent.
#[derive(Debug, Clone)]
pub struct CompiledIntent {
    /// Its name.
    pub id: String,
    /// Its slots in the order of their first mention.
    pub slots: Vec<(String, Slot)>,
    /// The slots that are asked for when the caller leaves them out, in the same order.
    pub needed: Vec<String>,
    /// What is done after the answer.
    pub action: Option<Action>,
}

/// What is done after an answer is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `end_call`.
    EndCall,
    /// `transfer_call:NAME`.
    Transfer(String),
    /// `hand_over:NAME`: to another agent of the squad.
    HandOver(String),
    /// `collect`: a flow gets the values.
    Collect,
}

/// What a text means to an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Understood {
    /// One of its intents.
    Intent(Match),
    /// What every agent understands.
    Global(Global),
    /// Nothing for sure.
    Nothing,
}

/// A mistake in an intent, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The intent's id, or its place if it has none: `#3`.
    pub intent: String,
    /// The phrase that is wrong, if one is.
    pub phrase: Option<String>,
    /// The byte position in the phrase.
    pub at: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// The most ways of a phrase that are compared with those of other intents.
const MOST_WAYS: usize = 64;

/// The most keys that are one choice.
const MOST_KEYS: usize = 8;

/// The most key terms.
const MOST_KEY_TERMS: usize = 64;

impl Compiled {
    /// Compiles intents.
    ///
    /// # Errors
    /// With every mistake that was found.
    pub fn new(intents: &[Intent], language: &Language) -> Result<Self, Vec<Fault>> {
        let locale = Locale::of(language).unwrap_or_else(Locale::american);
        Self::within(intents, &Context::of(locale))
    }

    /// Compiles intents for callers of whom something is known.
    ///
    /// # Errors
    /// With every mistake that was found.
    pub fn within(intents: &[Intent], context: &Context) -> Result<Self, Vec<Fault>> {
        let tongue = context.locale.tongue;
        let mut faults = Vec::new();
        let mut parsed = Vec::new();
        for (place, intent) in intents.iter().enumerate() {
            parsed.push(Draft::new(place, intent, context, &mut faults));
        }
        find_twins(&parsed, tongue, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let heard: Vec<grammar::Heard> = parsed.iter().map(|draft| draft.heard(tongue)).collect();
        let phrases: Vec<Phrases> = parsed.iter().map(|draft| draft.phrases(tongue)).collect();
        Ok(Self {
            tongue,
            matcher: Matcher::new(phrases, tongue),
            grammar: grammar::write(&heard, tongue).into(),
            key_terms: key_terms(intents, &parsed, tongue),
            intents: parsed.into_iter().map(|draft| draft.compiled).collect(),
        })
    }

    /// Compiles the intents of an agent and checks that their actions name what it has.
    ///
    /// # Errors
    /// With every mistake that was found.
    pub fn for_assistant(assistant: &Assistant) -> Result<Self, Vec<Fault>> {
        let context = assistant.context(&assistant.spoken_language());
        let compiled = Self::within(&assistant.intents, &context);
        let mut faults = compiled.as_ref().err().cloned().unwrap_or_default();
        for intent in &assistant.intents {
            let action = intent.action.as_deref().and_then(|text| Action::parse(text).ok());
            if let Some(fault) = action.and_then(|action| action.missing_in(assistant)) {
                faults.push(Fault { intent: intent.id.clone(), ..fault });
            }
        }
        compiled.and_then(|compiled| if faults.is_empty() { Ok(compiled) } else { Err(faults) })
    }

    /// The grammar in JSGF 1.0: every phrase, bare values of slots, yes and no, "repeat", "help",
    /// with polite words around them.
    pub fn grammar(&self) -> Arc<str> {
        Arc::clone(&self.grammar)
    }

    /// Every word of the grammar, in lower case: a recogniser's dictionary must hold them.
    pub fn words(&self) -> BTreeSet<String> {
        grammar::words(&self.grammar)
    }

    /// Words and names to expect, for recognisers that take hints; at most 64.
    pub fn key_terms(&self) -> Vec<String> {
        self.key_terms.clone()
    }

    /// The intents, in the operator's order.
    pub fn intents(&self) -> &[CompiledIntent] {
        &self.intents
    }

    /// The language of the built-in words.
    pub fn tongue(&self) -> Tongue {
        self.tongue
    }

    /// The matcher.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// What a text means, without regard to what was asked before: a whole phrase, else what every
    /// agent understands, else the closest intent.
    pub fn understand(&self, text: &str) -> Understood {
        let tokens = tokens(text, self.tongue);
        if let Some(found) = self.matcher.exact(&tokens) {
            return Understood::Intent(found);
        }
        if let Some(global) = self.matcher.global(&tokens) {
            return Understood::Global(global);
        }
        self.matcher.closest(&tokens).map_or(Understood::Nothing, Understood::Intent)
    }

    /// Whether a text is a whole phrase and needs nothing more: the caller sounds done.
    pub fn is_complete(&self, text: &str) -> bool {
        let tokens = tokens(text, self.tongue);
        if let Some(found) = self.matcher.exact(&tokens) {
            let needed = self.intents.get(found.intent).map(|intent| &intent.needed);
            return needed.is_some_and(|all| all.iter().all(|n| found.slots.contains_key(n)));
        }
        self.matcher.global(&tokens).is_some()
            || self
                .intents
                .iter()
                .any(|intent| self.matcher.answer(&tokens, &intent.slots).is_some())
    }
}

impl Action {
    /// Reads `end_call`, `transfer_call:NAME` and `hand_over:NAME`.
    ///
    /// # Errors
    /// With a sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == names::END_CALL => Ok(Self::EndCall),
            None if text == names::COLLECT => Ok(Self::Collect),
            Some((tool, to)) if tool == names::TRANSFER_CALL && !to.trim().is_empty() => {
                Ok(Self::Transfer(to.trim().to_owned()))
            }
            Some((tool, to)) if tool == names::HAND_OVER && !to.trim().is_empty() => {
                Ok(Self::HandOver(to.trim().to_owned()))
            }
            _ => Err(format!("`{text}` is not an action")),
        }
    }

    /// What an agent lacks for this action.
    fn missing_in(&self, assistant: &Assistant) -> Option<Fault> {
        let (tool, what, hint) = match self {
            // Whether there is such a colleague, the squad knows.
            Self::HandOver(_) | Self::Collect => return None,
            Self::EndCall => (names::END_CALL, None, String::new()),
            Self::Transfer(to) if assistant.transfers.contains_key(to) => {
                (names::TRANSFER_CALL, None, String::new())
            }
            Self::Transfer(to) => {
                let what = format!("there is no transfer `{to}`");
                let known: Vec<&str> = assistant.transfers.keys().map(String::as_str).collect();
                (names::TRANSFER_CALL, Some(what), format!("transfers defined: {}", list(&known)))
            }
        };
        let lacks = !assistant.tools.iter().any(|name| name == tool);
        let (what, hint) = match what {
            Some(what) => (what, hint),
            None if lacks => (
                format!("the agent may not call `{tool}`"),
                format!("add \"{tool}\" to the agent's `tools`"),
            ),
            None => return None,
        };
        Some(Fault { intent: String::new(), phrase: None, at: None, what, hint })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "intent `{}`: {}", self.intent, self.what)?;
        if let Some(phrase) = &self.phrase {
            write!(f, "\n{}", pointed_at(phrase, self.at.unwrap_or(0)))?;
        }
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n{}", self.hint) }
    }
}

/// An intent with its phrases as written.
struct Draft {
    compiled: CompiledIntent,
    key: Option<String>,
    written: Vec<(String, Pattern)>,
}

impl Draft {
    fn new(place: usize, intent: &Intent, context: &Context, faults: &mut Vec<Fault>) -> Self {
        let name = if intent.id.is_empty() { format!("#{}", place + 1) } else { intent.id.clone() };
        let mut noted = Faults { intent: &name, faults };
        let mut written = Vec::new();
        for phrase in &intent.phrases {
            match Pattern::parse(phrase) {
                Ok(pattern) => written.push((phrase.clone(), pattern)),
                Err(why) => noted.add_at(phrase, why.at, why.problem.to_string(), String::new()),
            }
        }
        let slots = slots_of(&written, context, &mut noted);
        check(intent, &slots, &mut noted);
        let needed = slots.iter().map(|(name, _)| name.clone());
        let compiled = CompiledIntent {
            needed: needed.filter(|name| intent.ask.contains_key(name)).collect(),
            action: intent.action.as_deref().and_then(|text| Action::parse(text).ok()),
            id: name,
            slots,
        };
        Self { compiled, key: intent.key.clone(), written }
    }

    fn heard(&self, tongue: Tongue) -> grammar::Heard {
        let phrases = self.written.iter().map(|(_, pattern)| pattern.spoken(tongue)).collect();
        grammar::Heard { phrases, slots: self.compiled.slots.clone() }
    }

    fn phrases(&self, tongue: Tongue) -> Phrases {
        let phrases = self.written.iter().map(|(_, pattern)| pattern.plain(tongue)).collect();
        Phrases { phrases, slots: self.compiled.slots.clone() }
    }
}

/// Collects the mistakes of one intent.
struct Faults<'a> {
    intent: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        let (intent, what, hint) = (self.intent.to_owned(), what.into(), hint.into());
        self.faults.push(Fault { intent, phrase: None, at: None, what, hint });
    }

    fn add_at(&mut self, phrase: &str, at: usize, what: String, hint: String) {
        let intent = self.intent.to_owned();
        let phrase = Some(phrase.to_owned());
        self.faults.push(Fault { intent, phrase, at: Some(at), what, hint });
    }
}

/// Finds the type of every slot: written once in any phrase of the intent, or the slot's name is
/// itself a type.
fn slots_of(
    written: &[(String, Pattern)],
    context: &Context,
    faults: &mut Faults<'_>,
) -> Vec<(String, Slot)> {
    let mut mentions = Vec::new();
    for (phrase, pattern) in written {
        for node in pattern.nodes() {
            if let Pattern::Slot { name, kind, at } = node {
                mentions.push((phrase, name, kind.as_deref(), *at));
            }
        }
    }
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for (phrase, name, kind, at) in &mentions {
        let Some(written) = kind else { continue };
        match Kind::parse(written) {
            None => {
                faults.add_at(
                    phrase,
                    *at,
                    format!("`{written}` is not a type"),
                    type_hint(written),
                );
            }
            Some(kind) if kinds.get(name.as_str()).is_some_and(|other| *other != kind) => {
                let what = format!("slot `{name}` has another type here than before");
                faults.add_at(
                    phrase,
                    *at,
                    what,
                    "give the type once, then write {name}".to_owned(),
                );
            }
            Some(kind) => {
                kinds.insert(name, kind);
            }
        }
    }
    let mut slots: Vec<(String, Slot)> = Vec::new();
    for (phrase, name, kind, at) in &mentions {
        if slots.iter().any(|(other, _)| other == *name) {
            continue;
        }
        match kinds.get(name.as_str()).cloned().or_else(|| Kind::parse(name)) {
            Some(kind) => slots.push(((*name).clone(), Slot::within(kind, *context))),
            None if kind.is_some() => {}
            None => {
                let hint = format!("write {{{name}:weekday}} or {{{name}:one|other}}");
                faults.add_at(phrase, *at, format!("slot `{name}` has no type"), hint);
            }
        }
    }
    slots
}

fn type_hint(written: &str) -> String {
    let close = NAMES.iter().find(|name| distance(name, written) <= 2);
    match close {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("types: {}, or a list: one|other", NAMES.join(", ")),
    }
}

/// Checks everything but the phrases.
fn check(intent: &Intent, slots: &[(String, Slot)], faults: &mut Faults<'_>) {
    if intent.id.is_empty() {
        faults.add("it has no id", "add id = \"opening-hours\" or the like");
    }
    if intent.phrases.is_empty() && intent.key.is_none() {
        faults.add("nothing leads to it", "add phrases, or a key");
    }
    if intent.say.is_empty() && intent.action.is_none() {
        faults.add("it does nothing", "add `say`, or an `action`");
    }
    let is_key = |key: &&String| {
        (1..=MOST_KEYS).contains(&key.len())
            && key.chars().all(|c| c.is_ascii_digit() || "*#".contains(c))
    };
    if let Some(key) = intent.key.as_ref().filter(|key| !is_key(key)) {
        faults.add(format!("`{key}` is not a key"), "keys are 0-9, * and #");
    }
    if let Some(Err(why)) = intent.action.as_deref().map(Action::parse) {
        faults.add(why, "actions: end_call, transfer_call:NAME, hand_over:NAME");
    }
    for name in intent.ask.keys().filter(|name| !slots.iter().any(|(slot, _)| slot == *name)) {
        let hint = format!("add {{{name}:TYPE}} to one of the phrases, or remove the question");
        faults.add(format!("`ask.{name}` asks for a slot that no phrase has"), hint);
    }
    let texts = intent.say.iter().chain(&intent.confirm).chain(&intent.declined);
    for text in texts.chain(intent.ask.values()) {
        if let Err(why) = template::render(text, &template::Variables::new()) {
            faults.add(format!("a text does not render: {why}"), "variables: {{ slot_name }}");
        }
    }
}

/// Finds ids, keys and ways to say something that two intents share.
fn find_twins(drafts: &[Draft], tongue: Tongue, faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<Vec<Part>, &str> = BTreeMap::new();
    let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for draft in drafts {
        let mut noted = Faults { intent: &draft.compiled.id, faults };
        if draft.key.as_ref().is_some_and(|key| !keys.insert(key)) {
            noted.add("another intent has the same key", "give each its own");
        }
        if !ids.insert(&draft.compiled.id) {
            noted.add("another intent has the same id", "give each its own");
        }
        for (phrase, pattern) in &draft.written {
            let typed = |part: Part| match part {
                Part::Slot(name) => {
                    let slot = draft.compiled.slots.iter().find(|(slot, _)| *slot == name);
                    Part::Slot(slot.map_or(name, |(_, slot)| format!("{:?}", slot.kind())))
                }
                Part::Word(_) => part,
            };
            let ways = pattern.plain(tongue).ways(MOST_WAYS);
            let ways = ways.into_iter().map(|way| way.into_iter().map(typed).collect());
            let twin = ways
                .map(|way: Vec<Part>| *seen.entry(way).or_insert(&draft.compiled.id))
                .find(|owner| *owner != draft.compiled.id);
            if let Some(owner) = twin {
                let what = format!("intent `{owner}` is said in the same way");
                noted.add_at(phrase, 0, what, "change one of the two phrases".to_owned());
            }
        }
    }
}

fn key_terms(intents: &[Intent], drafts: &[Draft], tongue: Tongue) -> Vec<String> {
    let mut terms = Vec::new();
    let mut add = |term: &str| {
        if terms.len() < MOST_KEY_TERMS && !terms.iter().any(|other| other == term) {
            terms.push(term.to_owned());
        }
    };
    for (intent, draft) in intents.iter().zip(drafts) {
        intent.label.iter().for_each(|label| add(label));
        for (_, slot) in &draft.compiled.slots {
            if let Kind::List(items) = slot.kind() {
                items.iter().for_each(|item| add(item));
            }
        }
        for (_, pattern) in &draft.written {
            for node in pattern.nodes() {
                let Pattern::Word(word) = node else { continue };
                if word.chars().count() > 3 && !tongue.is_stop_word(&word.to_lowercase()) {
                    add(word);
                }
            }
        }
    }
    terms
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(id: &str, phrases: &[&str]) -> Intent {
        Intent {
            id: id.to_owned(),
            phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
            say: vec!["Well.".to_owned()],
            ..Intent::default()
        }
    }

    fn shop() -> Compiled {
        let book = Intent {
            ask: BTreeMap::from([("day".to_owned(), "When?".to_owned())]),
            ..intent("book", &["book [an appointment] [on {day:weekday}] [at {time}]"])
        };
        let hours = intent("hours", &["what's your opening time", "open 24 hours"]);
        Compiled::new(&[hours, book], &Language::english()).expect("the shop compiles")
    }

    fn faults(intents: &[Intent]) -> Vec<String> {
        let faults = Compiled::new(intents, &Language::english()).expect_err("it is wrong");
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_grammar_is_jsgf_without_recursion() {
        let grammar = shop().grammar();
        let mut lines = grammar.lines();
        assert_eq!(lines.next(), Some("#JSGF V1.0;"));
        assert_eq!(lines.next(), Some("grammar agent;"));
        let rules: BTreeMap<&str, &str> = lines
            .map(|line| line.strip_suffix(';').and_then(|l| l.split_once(" = ")).expect(line))
            .collect();
        assert_eq!(rules.keys().filter(|name| name.starts_with("public ")).count(), 1);
        // Every rule that is named exists, and following names never comes back to a rule.
        fn depth(name: &str, rules: &BTreeMap<&str, &str>, above: usize) -> usize {
            assert!(above < 10, "{name} is recursive");
            let body = rules[name];
            assert_eq!(body.matches('(').count(), body.matches(')').count(), "{body}");
            assert_eq!(body.matches('[').count(), body.matches(']').count(), "{body}");
            let names = body.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
            names
                .map(|(name, _)| depth(&format!("<{name}>"), rules, above + 1))
                .max()
                .unwrap_or(above)
        }
        assert!(depth("public <heard>", &rules, 0) >= 2);
        assert!(rules["<intent_1>"].contains("what's your opening time | open twenty four hours"));
    }

    #[test]
    fn every_word_of_the_grammar_is_named() {
        let words = shop().words();
        for word in ["what's", "twenty", "appointment", "o'clock", "tuesday", "please", "repeat"] {
            assert!(words.contains(word), "{word}");
        }
        assert!(words.iter().all(|word| word.chars().all(|c| c.is_alphanumeric() || c == '\'')));
        assert!(!words.contains("heard") && !words.contains("intent"), "rule names are no words");
    }

    #[test]
    fn key_terms_are_the_words_that_matter() {
        let terms = shop().key_terms();
        assert!(terms.contains(&"appointment".to_owned()));
        assert!(!terms.contains(&"your".to_owned()));
    }

    #[test]
    fn a_text_is_complete_when_nothing_is_missing() {
        let shop = shop();
        for text in
            ["book on Monday", "hello, book an appointment on Monday, please", "yes", "at ten"]
        {
            assert!(shop.is_complete(text), "{text}");
        }
        for text in ["", "book", "book an appointment on", "I would like", "open 24"] {
            assert!(!shop.is_complete(text), "{text}");
        }
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let mut wrong = intent("one", &["book (a", "on {day:weekdya}", "at {place}"]);
        wrong.key = Some("1x".to_owned());
        wrong.action = Some("hang up".to_owned());
        wrong.say = vec!["{{ day".to_owned()];
        wrong.ask = BTreeMap::from([("colour".to_owned(), "Which?".to_owned())]);
        let faults = faults(&[wrong, intent("", &["hello"]), intent("two", &[])]).join("\n\n");
        for part in [
            "this `(` is never closed\nbook (a\n     ^",
            "`weekdya` is not a type\non {day:weekdya}\n    ^\ndid you mean `weekday`?",
            "slot `place` has no type",
            "`1x` is not a key",
            "`hang up` is not an action",
            "a text does not render",
            "`ask.colour` asks for a slot that no phrase has",
            "intent `#2`: it has no id",
            "nothing leads to it",
        ] {
            assert!(faults.contains(part), "{part}\n--\n{faults}");
        }
    }

    #[test]
    fn two_intents_may_not_be_said_in_the_same_way() {
        let one = intent("one", &["[please] open up", "on {day:weekday}"]);
        let found = faults(&[one.clone(), intent("two", &["open up", "on {when:weekday}"])]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("intent `one` is said in the same way"));
        let mut keyed = intent("three", &["close down"]);
        keyed.key = Some("1".to_owned());
        let other = Intent { id: "four".to_owned(), phrases: Vec::new(), ..keyed.clone() };
        assert!(faults(&[keyed, other])[0].contains("the same key"));
        assert!(faults(&[one.clone(), one])[0].contains("the same id"));
    }

    #[test]
    fn an_action_must_be_possible() {
        let mut assistant = Assistant {
            intents: vec![Intent {
                action: Some("transfer_call:sales".to_owned()),
                ..intent("sales", &["sales"])
            }],
            ..Assistant::default()
        };
        let faults = Compiled::for_assistant(&assistant).expect_err("there is no such transfer");
        assert_eq!(
            faults[0].to_string(),
            "intent `sales`: there is no transfer `sales`\ntransfers defined: none"
        );
        assistant.intents[0].action = Some("end_call".to_owned());
        assert!(Compiled::for_assistant(&assistant).is_ok());
        assistant.tools.clear();
        assert!(Compiled::for_assistant(&assistant).is_err());
    }
}
