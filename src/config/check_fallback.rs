//! Checks of those who take the place of a provider that fails.

use std::time::Duration;

use crate::agent::assistant::{Assistant, Choice};
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// Checks the list of each stage of an agent, and how long each may take.
pub fn fallback(subject: &Subject<'_>, name: &str, agent: &Assistant) -> Vec<Diagnostic> {
    let path = format!("agents.{name}.fallback");
    let (fallback, after) = (&agent.fallback, &agent.fallback.after);
    let mut found = Vec::new();
    for (key, first, next) in [
        ("stt", &agent.stt, &fallback.stt),
        ("llm", &agent.llm, &fallback.llm),
        ("tts", &agent.tts, &fallback.tts),
    ] {
        found.extend(list(subject, (&path, key), (first, next)));
    }
    for (key, time) in [
        ("transcript", after.transcript),
        ("first_word", after.first_word),
        ("next_word", after.next_word),
        ("answer", after.answer),
        ("audio", after.audio),
    ] {
        if !(SHORTEST..=LONGEST).contains(&time) {
            found.push(
                Diagnostic::error("value.range", format!("`{key}` must be from 100ms to 60s"))
                    .at(subject.place(&format!("{path}.after.{key}")), "out of range"),
            );
        }
    }
    found
}

/// Those who take the place of `first`, one after the other.
fn list(
    subject: &Subject<'_>,
    (path, key): (&str, &str),
    (first, next): (&Choice, &[Choice]),
) -> Vec<Diagnostic> {
    let place = |at: usize| subject.place(&format!("{path}.{key}[{at}]"));
    let mut found = Vec::new();
    if next.len() > MOST {
        found.push(
            Diagnostic::error("value.range", format!("`{key}` has more than {MOST} fallbacks"))
                .at(place(MOST), "one too many"),
        );
    }
    for (at, choice) in next.iter().enumerate() {
        let Some(provider) = &choice.provider else {
            found.push(
                Diagnostic::error("fallback.no_provider", "a fallback names no provider")
                    .at(place(at), "who takes the place?")
                    .help("write \"NAME\", or { provider = \"NAME\", model = \"...\" }"),
            );
            continue;
        };
        let before = || [first].into_iter().chain(&next[..at]);
        if before().any(|other| is_same(other, choice)) {
            let message = format!("provider `{provider}` would take its own place");
            found.push(
                Diagnostic::error("fallback.twice", message)
                    .at(place(at), "it stands before already")
                    .help("name another provider, or another `model` of this one"),
            );
        }
    }
    found
}

/// Whether two choices would fail together: nothing but manners tells them apart.
fn is_same(one: &Choice, other: &Choice) -> bool {
    one.provider == other.provider && one.model == other.model && one.voice == other.voice
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// More than so many are never asked before the caller hangs up.
const MOST: usize = 4;
