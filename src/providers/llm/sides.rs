//! A conversation in which two sides alternate and the caller begins: several vendors want it so.

use serde_json::{Value, json};

/// The messages so far.
pub(super) struct Sides {
    messages: Vec<Value>,
    /// Where the parts of a message stand.
    parts: &'static str,
    /// How a text becomes a part.
    text: fn(&str) -> Value,
}

impl Sides {
    /// Nothing was said yet; a message has its parts under a key, and a text is a part like this.
    pub fn new(parts: &'static str, text: fn(&str) -> Value) -> Self {
        Self { messages: Vec::new(), parts, text }
    }

    /// A side adds a part: to its message, when it is its turn already.
    pub fn add(&mut self, role: &str, part: Value) {
        if self.messages.is_empty() && role != CALLER {
            let begins = (self.text)(BEGINS);
            self.messages.push(json!({ "role": CALLER, self.parts: [begins] }));
        }
        let same = self.messages.last_mut().filter(|last| last["role"] == role);
        match same.and_then(|last| last[self.parts].as_array_mut()) {
            Some(parts) => parts.push(part),
            None => self.messages.push(json!({ "role": role, self.parts: [part] })),
        }
    }

    /// The messages; there is at least one.
    pub fn messages(mut self) -> Vec<Value> {
        if self.messages.is_empty() {
            self.add(CALLER, (self.text)(BEGINS));
        }
        self.messages
    }
}

/// The agent's words as a model is told them; `None` when nothing was heard of them.
pub(super) fn told(text: &str, interrupted: bool) -> Option<String> {
    let text = text.trim_end();
    // Three dots: it was cut there, and the model should not take it for complete.
    let cut = if interrupted { "…" } else { "" };
    (!text.is_empty()).then(|| format!("{text}{cut}"))
}

/// The caller's role, whoever is asked.
const CALLER: &str = "user";

/// What the caller is said to have said before the agent's first words.
const BEGINS: &str = "[The caller is on the line.]";
