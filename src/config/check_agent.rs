//! Checks of an agent: whether it can hear, think and speak, and whether its names lead somewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::assistant::{Assistant, Choice, Intent};
use crate::agent::tool::names;
use crate::agent::tools::builtin::Builtin;
use crate::config::check_fallback;
use crate::config::check_language;
use crate::config::check_templates::not_a_template;
use crate::config::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::config::provider::{Job, Need, ProviderKind};
use crate::config::shape;
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::config::{check_routes, check_transfers};

/// Checks one agent.
pub fn agent(subject: &Subject<'_>, name: &str, agent: &Assistant) -> Vec<Diagnostic> {
    let check = Check { subject, agent, name, path: format!("agents.{name}") };
    let mut found = check.purpose();
    found.extend(check.providers());
    found.extend(check_fallback::fallback(subject, name, agent));
    found.extend(check.tools());
    found.extend(check.transfers());
    found.extend(check.intents());
    found.extend(check.templates());
    if found.iter().all(|it| it.severity == Severity::Warning) {
        let outside = subject.external.agent(agent, name, subject.server);
        found.extend(outside.into_iter().map(|fault| subject.diagnostic(fault, &check.path)));
    }
    found
}

/// The names of the tools that need no table.
pub fn tools_of_the_house() -> impl Iterator<Item = &'static str> {
    let own = Builtin::ALL.into_iter().map(Builtin::name);
    [names::END_CALL, names::TRANSFER_CALL].into_iter().chain(own)
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    agent: &'a Assistant,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    /// Whether the agent has something to say.
    fn purpose(&self) -> Vec<Diagnostic> {
        let (agent, name) = (self.agent, self.name);
        let mute =
            agent.prompt.is_none() && agent.first_message.is_none() && agent.intents.is_empty();
        let thinks_by_rules = self.kind(&agent.llm).is_some_and(|it| it.name() == "rules");
        let mut found = Vec::new();
        // A flow takes ears, voice and models from its agent, and has words of its own.
        let lends = self.subject.flows.values().any(|flow| flow.agent == *name);
        if lends && agent.intents.is_empty() && (mute || agent.prompt.is_none()) {
            return found;
        }
        if mute {
            let message = format!("agent `{name}` has nothing to say");
            found.push(
                Diagnostic::error("agent.no_prompt", message)
                    .at(self.key(), "no `prompt`, `first_message` or `intents`")
                    .help("give a language model a `prompt`, or the built-in rules `[[intents]]`"),
            );
        } else if thinks_by_rules && agent.intents.is_empty() {
            let message = format!("agent `{name}` thinks by rules and has no intents");
            found.push(
                Diagnostic::error("agent.no_intents", message)
                    .at(self.place("llm.provider"), "the rules know only what the intents say")
                    .help(format!("add [[agents.{name}.intents]], or choose a language model")),
            );
        } else if agent.prompt.is_some() && self.subject.server.thinker(agent).is_none() {
            let message = format!("agent `{name}` has a `prompt` and no language model");
            found.push(
                Diagnostic::error("agent.no_model", message)
                    .at(self.place("prompt"), "nobody can follow it")
                    .help(
                        "add a table under [providers] with kind = \"openai-compatible\" to the \
                         settings of the server, or [[intents]] to the agent",
                    ),
            );
        } else if agent.prompt.is_none() && self.thinks_by_language_model() {
            let message = format!("agent `{name}` has a language model and no `prompt`");
            found.push(
                Diagnostic::warning("agent.no_prompt", message)
                    .at(self.key(), "the model does not know what it is for"),
            );
        }
        found
    }

    fn providers(&self) -> Vec<Diagnostic> {
        let mut found = self.in_one();
        for (key, choice, job) in self.choices() {
            found.extend(self.provider(&key, choice, job));
            found.extend(self.ranges(&key, choice));
            found.extend(self.language(&key, choice, job));
            found.extend(self.other_language(&key, choice, job));
        }
        found.extend(self.ambience());
        found
    }

    /// A model that hears, thinks and speaks leaves nothing for `stt` and `llm` to do.
    fn in_one(&self) -> Vec<Diagnostic> {
        let Some(realtime) = &self.agent.realtime else { return Vec::new() };
        let mut found = Vec::new();
        if realtime.provider.is_none() {
            let known = self.known(Job::Converse);
            let help = match known.as_slice() {
                [] => {
                    "add a table under [providers] with kind = \"openai\" to the settings of the \
                       server"
                        .to_owned()
                }
                known => format!("for `realtime` there are: {}", known.join(", ")),
            };
            let message = format!("agent `{}` does not say by whom it hears and speaks", self.name);
            found.push(
                Diagnostic::error("agent.realtime_provider", message)
                    .at(self.place("realtime"), "no `provider`")
                    .help(help),
            );
        }
        for (key, choice) in [("stt", &self.agent.stt), ("llm", &self.agent.llm)] {
            if *choice != Choice::default() {
                let message = format!("agent `{}` has `realtime` and `{key}`", self.name);
                found.push(
                    Diagnostic::error("agent.realtime_alone", message)
                        .at(self.place(key), "the realtime model does this")
                        .help(format!(
                            "leave out `{key}`, or `realtime`; who takes its place when it fails \
                             stands under `fallback.{key}`, and `tts` may speak the fixed lines"
                        )),
                );
            }
        }
        found
    }

    /// Everybody who is to hear, think or speak: the first of each, and who takes its place. Each
    /// with its key.
    fn choices(&self) -> Vec<(String, &Choice, Job)> {
        let (agent, fallback) = (self.agent, &self.agent.fallback);
        let in_one = agent.realtime.iter();
        let mut all: Vec<_> =
            in_one.map(|choice| ("realtime".to_owned(), choice, Job::Converse)).collect();
        for (key, first, next, job) in [
            ("stt", &agent.stt, &fallback.stt, Job::Hear),
            ("llm", &agent.llm, &fallback.llm, Job::Think),
            ("tts", &agent.tts, &fallback.tts, Job::Speak),
        ] {
            all.push((key.to_owned(), first, job));
            let next = next.iter().enumerate();
            all.extend(next.map(|(at, choice)| (format!("fallback.{key}[{at}]"), choice, job)));
        }
        all
    }

    fn provider(&self, key: &str, choice: &Choice, job: Job) -> Option<Diagnostic> {
        let name = choice.provider.as_deref()?;
        let place = self.place(&format!("{key}.provider"));
        let fitting = self.known(job);
        let Some(kind) = self.kind(choice) else {
            if self.subject.key(&format!("providers.{name}")).is_some() {
                return None;
            }
            let label = match did_you_mean(name, fitting.iter().copied()) {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => "not defined".to_owned(),
            };
            let help = format!(
                "for `{key}` there are: {}; others stand under [providers] in the settings of the \
                 server",
                fitting.join(", ")
            );
            let message = format!("there is no provider `{name}`");
            return Some(
                Diagnostic::error("provider.unknown", message).at(place, label).help(help),
            );
        };
        if kind.does(job) {
            return self.voiceless(key, choice, kind);
        }
        Some({
            let verb = match job {
                Job::Hear => "hear",
                Job::Think => "think",
                Job::Speak => "speak",
                Job::Converse => "hear and speak in one",
            };
            Diagnostic::error("provider.capability", format!("provider `{name}` cannot {verb}"))
                .at(place, format!("not a choice for `{key}`"))
                .help(format!("for `{key}` there are: {}", fitting.join(", ")))
        })
    }

    /// A voice that neither the agent nor its provider names.
    fn voiceless(&self, key: &str, choice: &Choice, kind: ProviderKind) -> Option<Diagnostic> {
        let name = choice.provider.as_deref()?;
        let provider = self.subject.server.providers.get(name);
        let named = choice.voice.is_some() || provider.is_some_and(|it| it.voice.is_some());
        if named || !kind.needs(Need::Voice) || !key.contains("tts") {
            return None;
        }
        let message =
            format!("agent `{}` does not say which voice of `{name}` it wants", self.name);
        Some(
            Diagnostic::error("provider.missing_voice", message)
                .at(self.place(&format!("{key}.provider")), format!("`{name}` has no usual one"))
                .help(format!("add `voice` here or to [providers.{name}]")),
        )
    }

    fn ranges(&self, key: &str, choice: &Choice) -> Vec<Diagnostic> {
        let checks =
            [("speed", choice.speed, 0.25, 4.0), ("temperature", choice.temperature, 0.0, 2.0)];
        let outside = |(field, value, least, most): (&str, Option<f32>, f32, f32)| {
            let value = value?;
            (!(least..=most).contains(&value)).then(|| {
                let message = format!("`{field}` must be a number from {least} to {most}");
                Diagnostic::error("value.range", message)
                    .at(self.place(&format!("{key}.{field}")), "out of range")
            })
        };
        checks.into_iter().filter_map(outside).collect()
    }

    /// A room that would be louder than its recording.
    fn ambience(&self) -> Option<Diagnostic> {
        let is_louder = !(0.0..=1.0).contains(&self.agent.ambience_volume);
        is_louder.then(|| {
            Diagnostic::error("value.range", "`ambience_volume` must be a number from 0 to 1")
                .at(self.place("ambience_volume"), "out of range")
        })
    }

    /// Built-in engines that know English only.
    fn language(&self, key: &str, choice: &Choice, job: Job) -> Option<Diagnostic> {
        let (name, language) = (self.name, self.agent.spoken_language());
        if language.is_english() || !self.kind(choice).is_some_and(ProviderKind::is_english_only) {
            return None;
        }
        let place = self.place(&format!("{key}.provider"));
        match job {
            Job::Hear => {
                let message =
                    format!("agent `{name}` hears `{language}`, and its transcriber English only");
                let help = "take stt = { provider = \"whisper\" }; until then the caller has keys";
                Some(
                    Diagnostic::warning("agent.language_hearing_mismatch", message)
                        .at(place, "hears English only")
                        .help(help),
                )
            }
            Job::Speak => {
                let message =
                    format!("agent `{name}` speaks `{language}`, and its voice English only");
                Some(
                    Diagnostic::error("agent.language_voice_mismatch", message)
                        .at(place, "speaks English only")
                        .help("take tts = { provider = \"espeak\" }"),
                )
            }
            Job::Think | Job::Converse => None,
        }
    }

    /// Models and voices of another language, by their names.
    fn other_language(&self, key: &str, choice: &Choice, job: Job) -> Option<Diagnostic> {
        let named = check_language::Named::of(choice, self.kind(choice)?, job)?;
        let found = named.mismatch(self.name, self.agent.spoken_language().primary())?;
        let place = self.place(&format!("{key}.{}", named.key));
        Some(
            found
                .at(place, "its name says so")
                .help(format!("take another {}, or set `language`", named.key)),
        )
    }

    fn tools(&self) -> Vec<Diagnostic> {
        let own = self.subject.tools.keys().chain(self.subject.faulty_tools).map(String::as_str);
        let mut known: BTreeSet<&str> = own.collect();
        tools_of_the_house().for_each(|name| {
            known.insert(name);
        });
        let mut found = Vec::new();
        for (at, tool) in self.agent.tools.iter().enumerate() {
            let place = self.place(&format!("tools[{at}]"));
            if !known.contains(tool.as_str()) {
                let label = match did_you_mean(tool, known.iter().copied()) {
                    Some(name) => format!("did you mean \"{name}\"?"),
                    None => "not known".to_owned(),
                };
                let planned = shape::is_planned_value(&format!("{}.tools", self.path), tool);
                let more = if planned { "; this one is not supported yet" } else { "" };
                found.push(
                    Diagnostic::error("tool.unknown", format!("there is no tool `{tool}`"))
                        .at(place, label)
                        .help(format!(
                            "tools: {}{more}; others stand under [tools.NAME]",
                            known.iter().copied().collect::<Vec<_>>().join(", ")
                        )),
                );
            } else if tool == names::TRANSFER_CALL && self.agent.transfers.is_empty() {
                let message = format!("agent `{}` may transfer calls, and nowhere to", self.name);
                found.push(
                    Diagnostic::error("agent.no_transfers", message)
                        .at(place, "needs destinations")
                        .help(format!("add [agents.{}.transfers.NAME] with a `to`", self.name)),
                );
            }
        }
        found
    }

    fn transfers(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (name, transfer) in &self.agent.transfers {
            let table = format!("{}.transfers.{name}", self.path);
            let path = format!("{table}.to");
            // Those of a tool are told there.
            if self.subject.place(&path).is_some() {
                found.extend(check_routes::unknown_destination(self.subject, &transfer.to, &path));
                found.extend(check_transfers::all(self.subject, &transfer.into(), &table));
            }
        }
        let others = [
            ("fallback.to", &self.agent.fallback.to),
            ("silence.to", &self.agent.silence.to),
            ("unclear.to", &self.agent.unclear.to),
        ];
        for (path, to) in others {
            found.extend(to.as_ref().and_then(|to| self.unknown_transfer(to, path)));
        }
        found
    }

    fn unknown_transfer(&self, name: &str, path: &str) -> Option<Diagnostic> {
        let known: Vec<&str> = self.agent.transfers.keys().map(String::as_str).collect();
        if known.contains(&name) {
            return None;
        }
        let label = match did_you_mean(name, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        let help = match known.as_slice() {
            [] => format!("add [agents.{}.transfers.{name}] with a `to`", self.name),
            known => format!("transfers of this agent: {}", known.join(", ")),
        };
        let message = format!("agent `{}` has no transfer `{name}`", self.name);
        Some(Diagnostic::error("transfer.unknown", message).at(self.place(path), label).help(help))
    }

    fn intents(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let (mut ids, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for (at, intent) in self.agent.intents.iter().enumerate() {
            found.extend(self.intent(intent, at));
            if let Some(first) = ids.insert(intent.id.as_str(), at)
                && !intent.id.is_empty()
            {
                let message = format!("two intents are called `{}`", intent.id);
                found.push(
                    Diagnostic::error("intent.duplicate_id", message)
                        .at(self.place(&format!("intents[{at}].id")), "again here")
                        .at(self.place(&format!("intents[{first}].id")), "first here"),
                );
            }
            let Some(key) = intent.key.as_deref() else { continue };
            if let Some(first) = keys.insert(key, at) {
                let message = format!("the key {key} means two things");
                found.push(
                    Diagnostic::error("intent.duplicate_key", message)
                        .at(self.place(&format!("intents[{at}].key")), "again here")
                        .at(self.place(&format!("intents[{first}].key")), "first here"),
                );
            }
        }
        found
    }

    fn intent(&self, intent: &Intent, at: usize) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let path = |key: &str| format!("intents[{at}].{key}");
        if intent.id.is_empty() {
            found.push(
                Diagnostic::error("intent.no_id", "an intent has no `id`")
                    .at(self.place(&path("id")), "in this table"),
            );
        }
        if intent.phrases.is_empty() && intent.key.is_none() {
            let message = format!("nobody can say what intent `{}` wants", intent.id);
            found.push(
                Diagnostic::error("intent.no_phrases", message)
                    .at(self.place(&path("phrases")), "no `phrases` and no `key`"),
            );
        }
        if let Some(key) = intent.key.as_deref()
            && !(key.len() == 1
                && key.contains(|c: char| c.is_ascii_digit() || c == '*' || c == '#'))
        {
            found.push(
                Diagnostic::error("intent.key", format!("`{key}` is not a key of the telephone"))
                    .at(self.place(&path("key")), "one of 0-9 * #"),
            );
        }
        match intent.action.as_deref() {
            None | Some("end_call") => {}
            // Its colleagues are looked at with their squad.
            Some(action) if action.starts_with("hand_over:") => {}
            Some(action) => match action.strip_prefix("transfer_call:") {
                Some(name) => found.extend(self.unknown_transfer(name, &path("action"))),
                None => found.push(
                    Diagnostic::error("intent.action", format!("there is no action `{action}`"))
                        .at(self.place(&path("action")), "not known")
                        .help("actions: end_call, transfer_call:NAME, hand_over:NAME"),
                ),
            },
        }
        found
    }

    /// Texts with `{{ variables }}` must render.
    fn templates(&self) -> Vec<Diagnostic> {
        let agent = self.agent;
        let plain = [
            ("prompt", &agent.prompt),
            ("first_message", &agent.first_message),
            ("goodbye", &agent.goodbye),
        ];
        let plain =
            plain.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?)));
        let said = agent.intents.iter().enumerate().flat_map(|(at, intent)| {
            let say =
                intent.say.iter().map(move |text| (format!("intents[{at}].say"), text.as_str()));
            let confirm = intent.confirm.iter();
            say.chain(confirm.map(move |text| (format!("intents[{at}].confirm"), text.as_str())))
        });
        let wrong = |(key, text): (String, &str)| {
            not_a_template(self.subject, &format!("{}.{key}", self.path), text)
        };
        plain.chain(said).filter_map(wrong).collect()
    }

    /// The kind of the provider that is chosen; `None` when there is none or it is unknown.
    fn kind(&self, choice: &Choice) -> Option<ProviderKind> {
        let name = choice.provider.as_deref()?;
        let configured = self.subject.server.providers.get(name).map(|provider| provider.kind);
        configured.or_else(|| ProviderKind::named(name).filter(|kind| kind.is_built_in()))
    }

    fn thinks_by_language_model(&self) -> bool {
        self.agent.realtime.is_some()
            || self.kind(&self.agent.llm).is_some_and(ProviderKind::is_language_model)
    }

    /// The providers that can do a job, by name.
    fn known(&self, job: Job) -> Vec<&str> {
        let configured =
            self.subject.server.providers.iter().map(|(name, it)| (name.as_str(), it.kind));
        let built_in = ProviderKind::built_in().map(|kind| (kind.name(), kind));
        let fitting = configured.chain(built_in).filter(|(_, kind)| kind.does(job));
        let mut names: Vec<&str> = fitting.map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }

    fn key(&self) -> Option<Span> {
        self.subject.key(&self.path)
    }
}
