//! Keys that a model asks for: the house says what is wanted, gathers them, and tells the model.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::agent::answer::Given;
use crate::agent::floor::{Keypad, Said};
use crate::agent::pending::{Asking, Wants};
use crate::agent::session::Session;
use crate::agent::tool::{ToolCall, ToolResult};
use crate::agent::tools::builtin::{self, MOST_KEYS};

impl Session {
    /// Asks the caller for keys. What the model was about to say besides is not wanted.
    pub(super) fn collect(&mut self, now: Instant, call: ToolCall, wanted: &Map<String, Value>) {
        let number = |name: &str| {
            let number = wanted.get(name)?.as_u64()?;
            usize::try_from(number).ok()
        };
        let length = number("length");
        let most = length.or(number("max")).unwrap_or(MOST_KEYS).clamp(1, MOST_KEYS);
        let terminator = match wanted.get("finish_on").and_then(Value::as_str) {
            Some(key) => key.chars().next(),
            None => Some('#'),
        };
        let timeout = self.assistant.dtmf.timeout.max(KEY_TIMEOUT);
        let keypad = Keypad { most, exactly: length.is_some(), terminator, timeout };
        let prompt = builtin::text(wanted, "prompt").unwrap_or_default();
        self.ask_first(now, (call, prompt), Wants::Keys(keypad));
    }

    /// The caller's turn behind the question was taken.
    pub(super) fn collected(&mut self, now: Instant, asking: Asking, keypad: Keypad, said: &Said) {
        let digits = keypad
            .terminator
            .map_or(said.keys.as_str(), |key| said.keys.strip_suffix(key).unwrap_or(&said.keys));
        let says_nothing = said.text.trim().is_empty() || self.turn.urges(&said.text);
        if said.keys.is_empty() && says_nothing {
            // Somebody who looks for the number, and says so.
            self.answer.given = Given::Worded;
            self.turn.asks_for_keys(Some(keypad));
            self.asking = Some(asking);
            return;
        }
        if digits.len() == keypad.most {
            self.left_over = keypad.terminator.map(|key| (key, now + LEFT_OVER));
        }
        let call = asking.call;
        let result = match digits {
            "" if said.keys.is_empty() => call.failed(
                "the caller spoke and pressed no key: answer, and call this again if the keys are \
                 still wanted",
            ),
            "" => call.failed("the caller pressed no key but the one that ends them"),
            short if keypad.exactly && short.len() < keypad.most => call.failed(format!(
                "the caller pressed {short} only: {} keys are wanted",
                keypad.most
            )),
            digits => call.done(digits),
        };
        self.tell_keys(call, result);
        self.think(now);
    }

    /// The caller pressed nothing, though asked again.
    pub(super) fn no_keys(&mut self, now: Instant, call: ToolCall) {
        let result = call.failed("the caller pressed no key");
        self.turn.asks_for_keys(None);
        self.tell_keys(call, result);
        self.turn.takes_over(now, self.assistant.fallback.hold_after);
        self.think(now);
    }

    /// Whether a key only ends a number that was whole without it.
    pub(super) fn is_left_over(&mut self, now: Instant, key: char) -> bool {
        self.left_over.take().is_some_and(|(terminator, until)| key == terminator && now <= until)
    }

    fn tell_keys(&mut self, call: ToolCall, result: ToolResult) {
        self.conversation.call(call);
        self.note_result(result);
    }
}

/// The least time for the next key: numbers are read off cards.
const KEY_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the key that would have ended a number is not a key of its own.
const LEFT_OVER: Duration = Duration::from_secs(3);
