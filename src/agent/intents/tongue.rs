//! The two languages that the built-in words exist in, and those words: fillers, yes and no,
//! stop words, contractions.

use crate::base::language::Language;

/// A language with built-in words. Agents in other languages bring their own phrases and get the
/// English built-in words beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tongue {
    /// English, of any region.
    English,
    /// German, of any region.
    German,
}

/// What every agent understands beside its own intents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Global {
    /// Agreement.
    Yes,
    /// Refusal.
    No,
    /// Say that again.
    Repeat,
    /// What can I do here?
    Help,
    /// I want to talk to a human.
    Human,
    /// The conversation is over.
    Goodbye,
}

impl Tongue {
    /// Picks the built-in words for a language.
    pub fn of(language: &Language) -> Self {
        if language.is_german() { Self::German } else { Self::English }
    }

    /// What callers say for each of the built-in intents, in the phrase language.
    pub fn globals(self) -> [(Global, &'static str); 6] {
        match self {
            Self::English => [
                (Global::Yes, ENGLISH_YES),
                (Global::No, ENGLISH_NO),
                (Global::Repeat, ENGLISH_REPEAT),
                (Global::Help, ENGLISH_HELP),
                (Global::Human, ENGLISH_HUMAN),
                (Global::Goodbye, "(goodbye|bye|bye bye|good bye|hang up)"),
            ],
            Self::German => [
                (Global::Yes, GERMAN_YES),
                (Global::No, GERMAN_NO),
                (Global::Repeat, GERMAN_REPEAT),
                (Global::Help, GERMAN_HELP),
                (Global::Human, GERMAN_HUMAN),
                (Global::Goodbye, "(auf wiederhören|auf wiedersehen|tschüss|tschüs|ciao|auflegen)"),
            ],
        }
    }

    /// What may stand before a phrase without meaning anything.
    pub fn before(self) -> &'static str {
        match self {
            Self::English => {
                "(um|uh|hello|hi|hey|good morning|okay|yes|yeah|well|so|please|could you|can you\
                 |could you please|excuse me)"
            }
            Self::German => {
                "(äh|ähm|hallo|hi|guten tag|guten morgen|grüß gott|ja|also|bitte|okay|und|entschuldigung\
                 |könnten sie|können sie)"
            }
        }
    }

    /// What may stand after a phrase without meaning anything.
    pub fn after(self) -> &'static str {
        match self {
            Self::English => "(please|thanks|thank you|um|uh|if you could|for me)",
            Self::German => "(bitte|danke|danke schön|vielen dank|äh|ähm|gerne)",
        }
    }

    /// What may stand before a bare answer to a question.
    pub fn preposition(self) -> &'static str {
        match self {
            Self::English => "(on|at|for|the|a|around|about|it is|make it)",
            Self::German => "(am|um|gegen|für|der|die|das|den|ein|eine|einen|es ist|so)",
        }
    }

    /// What a recogniser listens for before a phrase: few words, because each one that may always
    /// come is heard in noise too.
    pub fn courtesy_before(self) -> &'static str {
        match self {
            Self::English => "(hello|hi|okay|yes|please|excuse me|could you|can you)",
            Self::German => "(hallo|guten tag|ja|bitte|könnten sie)",
        }
    }

    /// What a recogniser listens for after a phrase.
    pub fn courtesy_after(self) -> &'static str {
        match self {
            Self::English => "(please|thanks|thank you)",
            Self::German => "(bitte|danke)",
        }
    }

    /// What a recogniser listens for before a bare answer.
    pub fn courtesy_preposition(self) -> &'static str {
        match self {
            Self::English => "(on|at|for)",
            Self::German => "(am|um)",
        }
    }

    /// Words after which a single number is a time of day.
    pub fn announces_time(self, word: &str) -> bool {
        match self {
            Self::English => ["at", "around", "about", "before", "after"].contains(&word),
            Self::German => ["um", "gegen", "ab", "vor", "nach"].contains(&word),
        }
    }

    /// Whether a word turns a sentence around.
    pub fn negates(self, word: &str) -> bool {
        match self {
            Self::English => ["not", "never"].contains(&word),
            Self::German => ["nicht", "kein", "keine", "keinen", "keinem", "nie"].contains(&word),
        }
    }

    /// Whether a word says next to nothing about what the caller wants.
    pub fn is_stop_word(self, word: &str) -> bool {
        match self {
            Self::English => ENGLISH_STOP.contains(&word),
            Self::German => GERMAN_STOP.contains(&word),
        }
    }

    /// Writes a contraction out: `what's` as `what is`.
    pub fn written_out(self, word: &str) -> Option<&'static str> {
        let table: &[(&str, &str)] = match self {
            Self::English => &ENGLISH_CONTRACTIONS,
            Self::German => &GERMAN_CONTRACTIONS,
        };
        table.iter().find(|(short, _)| *short == word).map(|(_, long)| *long)
    }
}

const ENGLISH_YES: &str = "(yes|yeah|yep|sure|correct|exactly|of course|that's right|that's correct|yes that's right\
     |yes that's correct|please do|go ahead|sounds good|that works|okay|yes please)";
const ENGLISH_NO: &str = "(no|nope|no thanks|no thank you|that's wrong|no that's wrong|wrong\
     |never mind|cancel|cancel that|forget it|i changed my mind)";
const ENGLISH_REPEAT: &str = "(repeat|repeat that|say that again|repeat that please|what did you say|once more|pardon|sorry what)";
const ENGLISH_HELP: &str =
    "(help|what can i say|what are my options|the options|i need help|main menu)";
const ENGLISH_HUMAN: &str = "(operator|representative|[(a|an)] (human|agent|real person)|[(i want to|i would like to|i'd like to|let me|can i)] \
     (speak|talk) (to|with) (someone|somebody|(a|an|the) (human|operator|agent|[real] person|representative)))";
const GERMAN_YES: &str = "(ja|jawohl|ja bitte|ja gerne|gerne|genau|richtig|stimmt|das stimmt|das passt|passt|einverstanden\
     |ja genau|ja das stimmt|auf jeden fall|okay|in ordnung)";
const GERMAN_NO: &str = "(nein|nee|nö|nein danke|falsch|das stimmt nicht|stimmt nicht|lieber nicht|abbrechen|vergessen sie es\
     |nein das ist falsch|doch nicht)";
const GERMAN_REPEAT: &str =
    "(wiederholen|noch einmal|nochmal|noch mal|wie bitte|bitte wiederholen|wiederholen sie das)";
const GERMAN_HELP: &str =
    "(hilfe|was kann ich sagen|was können sie|welche möglichkeiten gibt es|hauptmenü)";
const GERMAN_HUMAN: &str = "[(ich möchte|ich will|ich würde gerne)] [mit] [(einem|einen|einer|der|dem)] \
     (mensch|menschen|mitarbeiter|mitarbeiterin|zentrale|berater|jemandem|jemanden) [(sprechen|reden)]";

const ENGLISH_STOP: [&str; 71] = [
    "a",
    "an",
    "the",
    "i",
    "me",
    "my",
    "we",
    "you",
    "your",
    "it",
    "its",
    "is",
    "are",
    "am",
    "be",
    "was",
    "do",
    "does",
    "did",
    "to",
    "of",
    "in",
    "on",
    "at",
    "for",
    "with",
    "and",
    "or",
    "can",
    "could",
    "would",
    "will",
    "should",
    "have",
    "has",
    "had",
    "like",
    "want",
    "need",
    "please",
    "what",
    "that",
    "this",
    "there",
    "some",
    "any",
    "get",
    "tell",
    "know",
    "so",
    "well",
    "um",
    "uh",
    "hello",
    "hi",
    "hey",
    "yes",
    "okay",
    "thanks",
    "thank",
    "just",
    "if",
    "about",
    "us",
    "no",
    "let",
    "actually",
    "maybe",
    "really",
    "question",
    "wondering",
];
const GERMAN_STOP: [&str; 75] = [
    "der",
    "die",
    "das",
    "den",
    "dem",
    "des",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "ich",
    "mir",
    "mich",
    "mein",
    "meine",
    "wir",
    "sie",
    "ihr",
    "ihre",
    "ihnen",
    "es",
    "ist",
    "sind",
    "bin",
    "war",
    "haben",
    "habe",
    "hat",
    "hätte",
    "kann",
    "können",
    "könnte",
    "könnten",
    "würde",
    "werden",
    "möchte",
    "will",
    "bitte",
    "was",
    "wie",
    "zu",
    "zum",
    "zur",
    "in",
    "im",
    "am",
    "an",
    "um",
    "für",
    "mit",
    "und",
    "oder",
    "von",
    "bei",
    "auf",
    "gern",
    "gerne",
    "mal",
    "denn",
    "ja",
    "nein",
    "also",
    "äh",
    "ähm",
    "hallo",
    "guten",
    "tag",
    "danke",
    "sagen",
    "wissen",
    "noch",
    "etwas",
    "uns",
    "vielleicht",
];
const ENGLISH_CONTRACTIONS: [(&str, &str); 34] = [
    ("i'd", "i would"),
    ("i'm", "i am"),
    ("i'll", "i will"),
    ("i've", "i have"),
    ("you're", "you are"),
    ("you've", "you have"),
    ("you'll", "you will"),
    ("we're", "we are"),
    ("we'd", "we would"),
    ("we've", "we have"),
    ("they're", "they are"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("what's", "what is"),
    ("when's", "when is"),
    ("where's", "where is"),
    ("who's", "who is"),
    ("how's", "how is"),
    ("let's", "let us"),
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("didn't", "did not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("couldn't", "could not"),
    ("won't", "will not"),
    ("wouldn't", "would not"),
    ("isn't", "is not"),
    ("aren't", "are not"),
    ("haven't", "have not"),
    ("wanna", "want to"),
    ("gonna", "going to"),
    ("ok", "okay"),
];
const GERMAN_CONTRACTIONS: [(&str, &str); 10] = [
    ("gibt's", "gibt es"),
    ("geht's", "geht es"),
    ("ist's", "ist es"),
    ("hab", "habe"),
    ("hab's", "habe es"),
    ("hätt", "hätte"),
    ("ok", "okay"),
    ("gern", "gerne"),
    ("zwo", "zwei"),
    ("dreissig", "dreißig"),
];
