//! The grammar for speech recognisers: JSGF 1.0 without recursion, as PocketSphinx takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::pattern::Pattern;
use super::slot::{Kind, Slot};
use super::tongue::{Global, Tongue};

/// What one intent adds to a grammar.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its phrases, in the words of the recogniser.
    pub phrases: Vec<Pattern>,
    /// Its slots by name, in the order in which they are asked for.
    pub slots: Vec<(String, Slot)>,
}

/// Writes the grammar of an agent: all phrases, bare values, and what every agent understands,
/// with polite words around them.
pub fn write(intents: &[Heard], tongue: Tongue) -> String {
    let mut rules = Rules::default();
    let (mut phrases, mut short) = (Vec::new(), Vec::new());
    for (index, intent) in intents.iter().enumerate() {
        let slots: Vec<(&str, String, bool)> = intent
            .slots
            .iter()
            .map(|(name, slot)| (name.as_str(), rules.slot(slot), *slot.kind() == Kind::Time))
            .collect();
        let rule = |name: &str| {
            let slot = slots.iter().find(|(slot, _, _)| *slot == name);
            slot.map(|(_, rule, _)| rule.clone()).unwrap_or_default()
        };
        let ways: Vec<String> = intent.phrases.iter().map(|phrase| phrase.jsgf(&rule)).collect();
        if !ways.is_empty() {
            phrases.push(rules.add(format!("intent_{}", index + 1), ways.join(" | ")));
        }
        if let Some(answer) = answer(&slots) {
            short.push(rules.add(format!("answer_{}", index + 1), answer));
        }
    }
    for (global, shape) in tongue.globals() {
        short.push(rules.add(global_rule(global).to_owned(), spoken(shape, tongue)));
    }
    rules.add("refused".to_owned(), refused(tongue).to_owned());
    rules.add("before".to_owned(), spoken(tongue.courtesy_before(), tongue));
    rules.add("after".to_owned(), spoken(tongue.courtesy_after(), tongue));
    rules.add("with".to_owned(), spoken(tongue.courtesy_preposition(), tongue));
    let mut grammar = String::from("#JSGF V1.0;\ngrammar agent;\n");
    // Short words with a greeting before them would be heard in every other phrase.
    let phrases = phrases.iter().map(|rule| format!("[<before>] <{rule}>"));
    let heard: Vec<String> = phrases.chain(short.iter().map(|rule| format!("<{rule}>"))).collect();
    let _ = writeln!(grammar, "public <heard> = ({}) [<after>];", heard.join(" | "));
    for (name, body) in &rules.bodies {
        let _ = writeln!(grammar, "<{name}> = {body};");
    }
    grammar
}

/// Every word of a grammar: what a recogniser's dictionary must hold.
pub fn words(grammar: &str) -> BTreeSet<String> {
    let bodies = grammar.lines().filter_map(|line| line.split_once('=').map(|(_, body)| body));
    let mut words = BTreeSet::new();
    for body in bodies {
        let mut in_reference = false;
        let mut word = String::new();
        for c in body.chars() {
            match c {
                '<' => in_reference = true,
                '>' => in_reference = false,
                _ if in_reference => {}
                c if c.is_alphanumeric() || c == '\'' => word.push(c),
                _ => {
                    words.insert(std::mem::take(&mut word));
                }
            }
        }
    }
    words.remove("");
    words
}

/// The rules of a grammar; each slot type appears once.
#[derive(Default)]
struct Rules {
    bodies: BTreeMap<String, String>,
}

impl Rules {
    fn add(&mut self, name: String, body: String) -> String {
        self.bodies.insert(name.clone(), body);
        name
    }

    /// The rule of a slot type; the same values share one.
    fn slot(&mut self, slot: &Slot) -> String {
        let body = slot.jsgf();
        if let Some((name, _)) =
            self.bodies.iter().find(|(name, other)| name.starts_with("slot_") && **other == body)
        {
            return name.clone();
        }
        let name = format!("slot_{}", self.bodies.len() + 1);
        self.add(name, body)
    }
}

/// Bare values: the answer to a question, one or several in a row. After a "no" a bare hour, which
/// is short and sounds like many things, is not listened for.
fn answer(slots: &[(&str, String, bool)]) -> Option<String> {
    let mut ways = Vec::new();
    for (index, (_, slot, is_time)) in slots.iter().enumerate() {
        let more: String = slots
            .iter()
            .skip(index + 1)
            .map(|(_, slot, is_time)| {
                let with = if *is_time { "<with>" } else { "[<with>]" };
                format!(" [{with} <{slot}>]")
            })
            .collect();
        ways.push(format!("[<with>] <{slot}>{more}"));
        if !is_time {
            ways.push(format!("<refused> [<with>] <{slot}>"));
        }
    }
    (!ways.is_empty()).then(|| ways.join(" | "))
}

fn spoken(shape: &str, tongue: Tongue) -> String {
    Pattern::built_in(shape).spoken(tongue).jsgf(&str::to_owned)
}

fn refused(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::English => "no",
        Tongue::German => "nein",
    }
}

fn global_rule(global: Global) -> &'static str {
    match global {
        Global::Yes => "yes",
        Global::No => "no",
        Global::Repeat => "repeat",
        Global::Help => "help",
        Global::Human => "human",
        Global::Goodbye => "goodbye",
    }
}
