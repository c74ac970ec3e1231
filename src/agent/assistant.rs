//! The definition of an agent, as it stands under `[agents.NAME]` in a dialplan file.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::after::After;
pub use crate::agent::consent::RecordConsent;
use crate::agent::disclosure::Disclosure;
use crate::agent::hearing::value::Context;
use crate::agent::lexicon::locale::Locale;
use crate::agent::masking::kind::Kind as Masked;
use crate::agent::memory::Memory;
use crate::agent::saying::chunk::Clock;
use crate::agent::saying::speaker::Speaker;
use crate::agent::tool::Tool;
pub use crate::agent::transfer::Transfer;
use crate::base::country::Country;
use crate::base::language::Language;
use crate::base::money::Money;
use crate::base::schema::{Either, OneOrMany};
use crate::base::units;

/// An agent: prompt, voice, models, tools and manners.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Assistant {
    /// What the agent is called in logs and to people.
    pub name: Option<String>,
    /// The language that it speaks and hears.
    pub language: Option<Language>,
    /// The languages that it may change to in a call when the caller speaks them.
    pub languages: Vec<Language>,
    /// The country whose telephone numbers and postcodes callers mean, in two letters; without it,
    /// that of the language.
    pub country: Option<Country>,
    /// How words are read that the voice gets wrong: `ACME = "Ackmi"`.
    pub pronunciations: BTreeMap<String, String>,
    /// How times of day are said in German: `formal` or `colloquial` ("halb drei").
    pub times: Clock,
    /// What it says when the call is up; a template. Without it the caller speaks first.
    pub first_message: Option<String>,
    /// What it is told to be and do (a language model's system prompt); a template.
    pub prompt: Option<String>,
    /// A file with the prompt, beside the dialplan file.
    pub prompt_file: Option<String>,
    /// What it says before it ends the call.
    pub goodbye: Option<String>,
    /// Who hears: `{ provider = "pocketsphinx" }`.
    pub stt: Choice,
    /// Who thinks: `{ provider = "rules" }`.
    pub llm: Choice,
    /// Who speaks: `{ provider = "flite", voice = "slt" }`.
    pub tts: Choice,
    /// Who hears, thinks and speaks in one: `{ provider = "openai", model = "gpt-realtime-2" }`.
    /// Then there is neither `stt` nor `llm`, and `tts` speaks only the lines that are fixed.
    pub realtime: Option<Choice>,
    /// Which tools it may call, by name: `end_call`, `transfer_call`.
    pub tools: Vec<String>,
    /// Tools that lead on in a flow; none of them stands in a file.
    #[serde(skip)]
    pub ways: Vec<Tool>,
    /// Where `transfer_call` may send the caller, by name.
    pub transfers: BTreeMap<String, Transfer>,
    /// What the `rules` model understands, in order.
    pub intents: Vec<Intent>,
    /// When the caller's turn is over.
    pub turns: Turns,
    /// When the caller may interrupt.
    pub interrupt: Interrupt,
    /// How keys are taken.
    pub dtmf: Keys,
    /// Phrases of its own after which the call is over, as soon as they were heard: "Have a nice
    /// day."
    pub end_phrases: Vec<String>,
    /// A sound file that is played beneath the call, beside the dialplan file: the room in which
    /// the agent seems to sit.
    pub ambience: Option<String>,
    /// How loud that is: 1.0 is as loud as the file.
    pub ambience_volume: f32,
    /// Whether noise is taken off what the caller says before it is transcribed.
    pub denoise: bool,
    /// What happens when nobody says anything.
    pub silence: Silence,
    /// What happens when the rules understand nothing.
    pub unclear: Unclear,
    /// Whether callers may speak to it; otherwise it heeds keys only.
    pub speech: bool,
    /// What it says when a provider fails.
    pub fallback: Fallback,
    /// How long a call may last.
    pub limits: Limits,
    /// What is found out about a call when it is over.
    pub after: After,
    /// What it knows of earlier calls with the same caller.
    pub memory: Memory,
    /// Whether calls with it are recorded (off by default).
    pub record: bool,
    /// What the caller must know or do before that.
    pub record_consent: RecordConsent,
    /// The words for it; without any, those of its language.
    pub record_notice: Option<String>,
    /// How it says that it is an AI, before anything else: these words, or `none`, with a reason.
    /// Without it, agents whose words a model finds say so in their language, if their first message
    /// does not.
    pub disclosure: Disclosure,
    /// Why callers need not be told: it stands in the record of each call.
    pub disclosure_reason: Option<String>,
    /// What is covered in all that is kept and told of its calls, besides what the server and the
    /// tenant want covered.
    pub mask: Vec<Masked>,
}

impl Default for Assistant {
    fn default() -> Self {
        Self {
            name: None,
            language: None,
            languages: Vec::new(),
            country: None,
            pronunciations: BTreeMap::new(),
            times: Clock::default(),
            first_message: None,
            prompt: None,
            prompt_file: None,
            goodbye: None,
            stt: Choice::default(),
            llm: Choice::default(),
            tts: Choice::default(),
            realtime: None,
            tools: vec!["end_call".to_owned()],
            ways: Vec::new(),
            transfers: BTreeMap::new(),
            intents: Vec::new(),
            turns: Turns::default(),
            interrupt: Interrupt::default(),
            dtmf: Keys::default(),
            end_phrases: Vec::new(),
            ambience: None,
            ambience_volume: 0.2,
            denoise: false,
            silence: Silence::default(),
            unclear: Unclear::default(),
            speech: true,
            fallback: Fallback::default(),
            limits: Limits::default(),
            after: After::default(),
            memory: Memory::default(),
            record: false,
            record_consent: RecordConsent::default(),
            record_notice: None,
            disclosure: Disclosure::default(),
            disclosure_reason: None,
            mask: Vec::new(),
        }
    }
}

impl Assistant {
    /// The language that it speaks; English unless said otherwise.
    pub fn spoken_language(&self) -> Language {
        self.language.clone().unwrap_or_else(Language::english)
    }

    /// Whether a model finds its words.
    pub fn is_model(&self) -> bool {
        self.realtime.is_some() || self.llm.provider.as_deref().is_some_and(|it| it != "rules")
    }

    /// How the caller is told that the call is recorded, or asked whether it may be.
    pub fn notice(&self) -> String {
        let german = self.spoken_language().is_german();
        let usual = self.record_consent.notice(german);
        self.record_notice.clone().unwrap_or_else(|| usual.to_owned())
    }

    /// What is known before a caller is heard in a language: region, country, habits.
    pub fn context(&self, language: &Language) -> Context {
        let locale = Locale::of(language).unwrap_or_else(Locale::american);
        let context = Context::of(locale);
        Context { country: self.country.unwrap_or(context.country), ..context }
    }

    /// Who finds the words for what it says in a language.
    pub fn speaker(&self, language: &Language) -> Speaker {
        Speaker::new(language, &self.pronunciations).with_clock(self.times)
    }
}

/// Which provider does a job, and how.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    /// A name under `[providers]` in `conf/server.toml`, or a built-in: `pocketsphinx`, `whisper`,
    /// `rules`, `flite`, `espeak`, `piper`. `None`: the best that is there.
    pub provider: Option<String>,
    /// The provider's model, in its own words.
    pub model: Option<String>,
    /// The provider's voice, in its own words.
    pub voice: Option<String>,
    /// How fast it speaks; 1.0 is its normal speed.
    pub speed: Option<f32>,
    /// How free a language model is, 0.0 to 2.0.
    pub temperature: Option<f32>,
    /// How long a language model's answer may be, in tokens.
    pub max_tokens: Option<u32>,
    /// Words that a transcriber should expect.
    pub keyterms: Vec<String>,
}

/// Something that the caller may want, for the `rules` model.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Intent {
    /// Its name, unique in the agent.
    pub id: String,
    /// How callers say it: `[optional]`, `(one|other)`, `{slot:type}`.
    pub phrases: Vec<String>,
    /// The key that means the same, `0-9 * #`.
    pub key: Option<String>,
    /// What is offered with the key when words fail: `opening hours`.
    pub label: Option<String>,
    /// The answer; a template with the slots. Several are taken in turn.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub say: Vec<String>,
    /// A question that must be answered with yes before the answer is given or the tool is called.
    pub confirm: Option<String>,
    /// What is said when the confirmation is declined.
    pub declined: Option<String>,
    /// Questions for slots that the caller left out, by slot.
    pub ask: BTreeMap<String, String>,
    /// What is done after the answer is spoken: `end_call` or `transfer_call:NAME`.
    pub action: Option<String>,
}

/// What tells whether the caller's turn is over, besides its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Detector {
    /// The silence alone.
    Vad,
    /// A model that hears how the turn sounds.
    Smart,
}

/// When the caller's turn is over.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Turns {
    /// What tells whether the turn is over, besides its words; without it, the best that is there.
    pub detector: Option<Detector>,
    /// Silence after which a turn that sounds complete is answered.
    #[serde(deserialize_with = "units::duration")]
    pub wait: Duration,
    /// Silence after which a turn without a clear end is answered.
    #[serde(deserialize_with = "units::duration")]
    pub wait_unclear: Duration,
    /// Silence after which a turn that sounds unfinished is answered all the same.
    #[serde(deserialize_with = "units::duration")]
    pub max_wait: Duration,
    /// Silence after which digits are answered when nobody knows how many there will be.
    #[serde(deserialize_with = "units::duration")]
    pub on_number: Duration,
    /// Silence that is allowed in the middle of a value that was asked for: half an IBAN, an
    /// address without its ending.
    #[serde(deserialize_with = "units::duration")]
    pub on_collecting: Duration,
    /// The longest turn; then the agent answers what it has.
    #[serde(deserialize_with = "units::duration")]
    pub max_turn: Duration,
    /// Whether the model starts on a likely end, unheard until the turn is over.
    pub preemptive: bool,
    /// Whether its transcriber may be asked for its words before a pause is certain; it does not
    /// stand in a file.
    #[serde(skip)]
    pub asks_early: bool,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            detector: None,
            wait: Duration::from_millis(300),
            wait_unclear: Duration::from_millis(600),
            max_wait: Duration::from_millis(1_200),
            on_number: Duration::from_millis(1_000),
            on_collecting: Duration::from_millis(2_500),
            max_turn: Duration::from_secs(60),
            preemptive: true,
            asks_early: false,
        }
    }
}

/// When the caller may interrupt.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Interrupt {
    /// Whether at all.
    pub enabled: bool,
    /// How long the caller must talk before the agent gives up its sentence.
    #[serde(deserialize_with = "units::duration")]
    pub min_speech: Duration,
    /// How many words must be heard before; 0: voice alone is enough.
    pub min_words: u32,
    /// After a pause for nothing, how long until the agent goes on.
    #[serde(deserialize_with = "units::duration")]
    pub resume_after: Duration,
    /// What the agent does as soon as the caller begins to speak over it.
    pub manner: Yields,
    /// Words that mean "go on"; without any, those of the language.
    pub ignore: Vec<String>,
    /// Words that interrupt at once, however short and few: "stop".
    pub always: Vec<String>,
    /// How long after an interruption the agent says nothing.
    #[serde(deserialize_with = "units::duration")]
    pub backoff: Duration,
    /// Whether the first message can be interrupted.
    pub first_message: bool,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            enabled: true,
            min_speech: Duration::from_millis(400),
            min_words: 0,
            resume_after: Duration::from_millis(500),
            manner: Yields::default(),
            ignore: Vec::new(),
            always: Vec::new(),
            backoff: Duration::ZERO,
            first_message: true,
        }
    }
}

/// What an agent does while it is not known whether the caller interrupts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Yields {
    /// It falls silent, and goes on where it was if that was nothing.
    #[default]
    Pause,
    /// It goes on quietly.
    Duck,
}

/// How keys are taken.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// How long after a key the next one may come.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// The key that ends a number at once: one of `0-9 * #`; "" for none.
    #[serde(deserialize_with = "terminator")]
    #[schemars(with = "String", extend("pattern" = "[0-9*#]?"))]
    pub terminator: Option<char>,
    /// Whether a key is taken at once that begins no longer key of an intent: a choice of a menu.
    pub at_once: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { timeout: Duration::from_millis(1_200), terminator: Some('#'), at_once: false }
    }
}

/// What happens when nobody says anything.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// After how long the agent reminds the caller, again and again.
    #[serde(deserialize_with = "units::duration")]
    pub remind_after: Duration,
    /// What it says, one after the other; without any, the language's own.
    pub remind_say: Vec<String>,
    /// How often it reminds the caller; when that was for nothing, the call ends.
    pub reminders: Option<u32>,
    /// After how long without a word from the caller the call ends.
    #[serde(deserialize_with = "units::duration")]
    pub hangup_after: Duration,
    /// Where the caller goes instead of that: one of the transfers.
    pub to: Option<String>,
}

/// What happens when the rules understand nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Unclear {
    /// After how many times in a row the caller goes to `to`, or else to a human.
    pub tries: u32,
    /// What it says before; without it, words of the language and what callers can ask for.
    pub say: Option<String>,
    /// Where the caller goes: one of the transfers.
    pub to: Option<String>,
}

impl Default for Unclear {
    fn default() -> Self {
        Self { tries: 3, say: None, to: None }
    }
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            remind_after: Duration::from_secs(8),
            remind_say: Vec::new(),
            reminders: None,
            hangup_after: Duration::from_secs(30),
            to: None,
        }
    }
}

/// What happens when a provider fails or keeps the caller waiting: who takes its place, and what
/// the agent says.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fallback {
    /// Who hears when `stt` fails, one after the other: names, or tables like `stt`.
    #[serde(deserialize_with = "choices")]
    #[schemars(with = "Vec<Either<String, Choice>>")]
    pub stt: Vec<Choice>,
    /// Who thinks when `llm` fails.
    #[serde(deserialize_with = "choices")]
    #[schemars(with = "Vec<Either<String, Choice>>")]
    pub llm: Vec<Choice>,
    /// Who speaks when `tts` fails.
    #[serde(deserialize_with = "choices")]
    #[schemars(with = "Vec<Either<String, Choice>>")]
    pub tts: Vec<Choice>,
    /// How long each may take before the next takes its place.
    pub after: Patience,
    /// How long the caller hears nothing before the holding phrase.
    #[serde(deserialize_with = "units::duration")]
    pub hold_after: Duration,
    /// The holding phrase; without one, the language's own.
    pub hold_say: Option<String>,
    /// How long a model may keep silent before it counts as failed.
    #[serde(deserialize_with = "units::duration")]
    pub give_up_after: Duration,
    /// What is said when there is no answer; without it, the language's own.
    pub say: Option<String>,
    /// After how many failed turns in a row the call is ended or handed to `to`.
    pub tries: u32,
    /// Where the caller goes then; without it the call ends with an apology.
    pub to: Option<String>,
}

impl Default for Fallback {
    fn default() -> Self {
        Self {
            stt: Vec::new(),
            llm: Vec::new(),
            tts: Vec::new(),
            after: Patience::default(),
            hold_after: Duration::from_millis(1_200),
            hold_say: None,
            give_up_after: Duration::from_secs(8),
            say: None,
            tries: 3,
            to: None,
        }
    }
}

/// How long a provider may take before the next takes its place. Where there is no other, it is
/// waited for as long as its own `timeout` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// From the caller's pause to a sign of its text.
    #[serde(deserialize_with = "units::duration")]
    pub transcript: Duration,
    /// To the first word of a model; then another is asked beside it, and the faster one is heard.
    #[serde(deserialize_with = "units::duration")]
    pub first_word: Duration,
    /// Between any two words of a model.
    #[serde(deserialize_with = "units::duration")]
    pub next_word: Duration,
    /// To the end of a model's answer, even where there is no other.
    #[serde(deserialize_with = "units::duration")]
    pub answer: Duration,
    /// To the first sound of a clause, and between any two pieces of it.
    #[serde(deserialize_with = "units::duration")]
    pub audio: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            transcript: Duration::from_millis(1_200),
            first_word: Duration::from_secs(1),
            next_word: Duration::from_secs(2),
            answer: Duration::from_secs(30),
            audio: Duration::from_secs(1),
        }
    }
}

/// How long a call may last.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest call (T39).
    #[serde(deserialize_with = "units::duration")]
    pub max_duration: Duration,
    /// The most tool calls in one turn.
    pub max_tool_calls_per_turn: u32,
    /// What calls that go out for it may cost in a day: `"5 EUR"` (T1).
    pub daily_budget: Option<Money>,
    /// How many minutes calls that go out for it may last in a day, together.
    pub daily_minutes: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_duration: Duration::from_secs(15 * 60),
            max_tool_calls_per_turn: 4,
            daily_budget: None,
            daily_minutes: None,
        }
    }
}

/// Takes a key of a telephone, or nothing.
fn terminator<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<char>, D::Error> {
    let text = String::deserialize(source)?;
    let mut keys = text.chars();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if "0123456789*#".contains(key) => Ok(Some(key)),
        _ => Err(serde::de::Error::custom(format!("`{text}` is no key: write one of 0-9 * #"))),
    }
}

/// Takes a list of providers, each as its name or as a table.
fn choices<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Vec<Choice>, D::Error> {
    struct Named(Choice);
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Named;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the name of a provider, or a table with `provider`")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Named, E> {
            Ok(Named(Choice { provider: Some(name.to_owned()), ..Choice::default() }))
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, table: A) -> Result<Named, A::Error> {
            let table = serde::de::value::MapAccessDeserializer::new(table);
            Choice::deserialize(table).map(Named)
        }
    }
    impl<'de> Deserialize<'de> for Named {
        fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
            source.deserialize_any(Visitor)
        }
    }
    Ok(Vec::<Named>::deserialize(source)?.into_iter().map(|named| named.0).collect())
}

/// Takes one text or a list of texts.
fn one_or_many<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut list: A,
        ) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    source.deserialize_any(Visitor)
}
