//! Conditions in CEL, the Common Expression Language: `caller.startsWith("+49") && vars.tier ==
//! "gold"`. They only look: nothing is changed, and each is over in time linear in what it looks at.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::objects::{Key, Map};
use cel::{Context, Env, Program, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::base::scope::Scope;

/// A condition that was read.
#[derive(Clone, JsonSchema)]
#[schemars(with = "String")]
pub struct Condition {
    text: String,
    program: Arc<Program>,
}

/// Why a condition cannot be read or does not say yes or no: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConditionError(pub String);

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// When it is no CEL, too long, or has one loop inside another.
    pub fn read(text: &str) -> Result<Self, ConditionError> {
        if text.len() > LONGEST || depth(text) > DEEPEST {
            return Err(ConditionError(format!(
                "a condition has at most {LONGEST} letters and {DEEPEST} brackets in each other"
            )));
        }
        // The reader is not ours; what breaks it must not break us.
        let read = catch_unwind(AssertUnwindSafe(|| Program::compile(text)));
        let program = match read {
            Ok(Ok(program)) => program,
            Ok(Err(why)) => return Err(ConditionError(first_fault(&why))),
            Err(_) => return Err(ConditionError("it cannot be read".to_owned())),
        };
        let mut seen = Seen::default();
        seen.look(program.expression(), &mut Vec::new());
        if seen.nested {
            let why = "one loop (`all`, `exists`, `filter`, `map`) stands inside another";
            return Err(ConditionError(why.to_owned()));
        }
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// When something that it names is not there or of another kind, or its value is neither true
    /// nor false.
    pub fn holds(&self, scope: &Scope) -> Result<bool, ConditionError> {
        let mut context = Context::with_env(STANDARD.clone());
        for (name, value) in scope.iter() {
            context.add_variable_from_value(name, seen_as(value));
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => {
                let kind = format!("{:?}", other.type_of()).to_lowercase();
                Err(ConditionError(format!("it gives a value of type {kind}, not true or false")))
            }
            Err(why) => Err(ConditionError(why.to_string())),
        }
    }

    /// The names that it takes from its scope, with what stands before them: `vars.tier`.
    pub fn names(&self) -> BTreeSet<String> {
        let mut seen = Seen::default();
        seen.look(self.program.expression(), &mut Vec::new());
        seen.names
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What stands in a condition.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    loops: usize,
    nested: bool,
}

impl Seen {
    /// Looks at an expression; `own` are the names that loops around it give.
    fn look(&mut self, expression: &IdedExpr, own: &mut Vec<String>) {
        match &expression.expr {
            Expr::Ident(_) | Expr::Select(_) => self.name(expression, own),
            Expr::Call(call) => {
                let target = call.target.iter().map(|target| &**target);
                target.chain(&call.args).for_each(|part| self.look(part, own));
            }
            Expr::List(list) => list.elements.iter().for_each(|part| self.look(part, own)),
            Expr::Map(map) => self.entries(&map.entries, own),
            Expr::Struct(made) => self.entries(&made.entries, own),
            Expr::Comprehension(each) => {
                self.look(&each.iter_range, own);
                let outside = own.len();
                own.extend([each.iter_var.clone(), each.accu_var.clone()]);
                own.extend(each.iter_var2.clone());
                self.loops += 1;
                self.nested |= self.loops > 1;
                let parts = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
                parts.into_iter().for_each(|part| self.look(part, own));
                self.loops -= 1;
                own.truncate(outside);
            }
            Expr::Unspecified | Expr::Literal(_) => {}
        }
    }

    fn entries(&mut self, entries: &[cel::common::ast::IdedEntryExpr], own: &mut Vec<String>) {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => self.look(&field.value, own),
                EntryExpr::MapEntry(entry) => {
                    self.look(&entry.key, own);
                    self.look(&entry.value, own);
                }
            }
        }
    }

    /// Notes `a.b.c`, or what stands before the first name if that is no name.
    fn name(&mut self, expression: &IdedExpr, own: &mut Vec<String>) {
        let (mut parts, mut rest) = (Vec::new(), expression);
        loop {
            match &rest.expr {
                Expr::Select(select) => {
                    parts.push(select.field.as_str());
                    rest = &select.operand;
                }
                Expr::Ident(name) if own.contains(name) || name.starts_with('@') => return,
                Expr::Ident(name) => {
                    parts.push(name);
                    parts.reverse();
                    self.names.insert(parts.join("."));
                    return;
                }
                _ => return self.look(rest, own),
            }
        }
    }
}

/// A value as conditions see it; whole numbers are of one kind, so that they can be reckoned with.
fn seen_as(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(value.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(value) => Value::String(Arc::new(value.clone())),
        serde_json::Value::Array(values) => {
            Value::List(Arc::new(values.iter().map(seen_as).collect()))
        }
        serde_json::Value::Object(values) => {
            let pairs = values.iter();
            let pairs = pairs.map(|(name, value)| (Key::from(name.as_str()), seen_as(value)));
            Value::Map(Map { map: Arc::new(pairs.collect()) })
        }
    }
}

/// The first thing that a reader complains about, and where: `column 7: …`.
fn first_fault(why: &cel::ParseErrors) -> String {
    let Some(first) = why.errors.first() else { return "it cannot be read".to_owned() };
    let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    // What could stand there instead is a list of everything.
    let message = message.split(" expecting ").next().unwrap_or_default();
    let message: String = match message.contains("<EOF>") {
        true => "it ends too early".to_owned(),
        false => message.lines().next().unwrap_or_default().chars().take(200).collect(),
    };
    format!("column {}: {message}", first.pos.1.max(1))
}

/// How many brackets stand in each other.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for letter in text.bytes() {
        match letter {
            b'(' | b'[' | b'{' | b'!' | b'-' | b'?' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl std::str::FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::read(text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        Self::read(&text)
            .map_err(|why| de::Error::custom(format!("`{text}` is no condition: {why}")))
    }
}

/// The functions that every condition may call.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The longest condition, in octets.
const LONGEST: usize = 1_024;

/// How many brackets and signs may stand in each other: reading and asking go down as deep.
const DEEPEST: usize = 48;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let mut scope = Scope::default();
        scope.set("caller", "+4971112345");
        scope.set("vars.tier", "gold");
        scope.set("vars.count", 3);
        scope.set("vars.price", 2.5);
        scope.set("vars.slots", json!(["10:00", "11:00"]));
        scope
    }

    fn holds(text: &str) -> Result<bool, ConditionError> {
        Condition::read(text)?.holds(&scope())
    }

    #[test]
    fn conditions_hold_or_not() {
        for yes in [
            "caller.startsWith(\"+49\") && vars.tier == \"gold\"",
            "size(vars.slots) == 2",
            "vars.count + 1 > 3",
            "vars.price < 3",
            "vars.slots.exists(slot, slot == '10:00')",
            "caller.matches('^[+]49')",
            "!has(vars.name)",
            "'gold' in [vars.tier]",
        ] {
            assert_eq!(holds(yes), Ok(true), "{yes}");
        }
        assert_eq!(holds("vars.tier == 'silver'"), Ok(false));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for wrong in ["", "caller ==", "caller = 'x'", "((caller", "\u{0}", "ä ö", "a ? b"] {
            assert!(Condition::read(wrong).is_err(), "{wrong}");
        }
        for no_answer in ["vars.count", "vars.name == 'x'", "nobody", "vars.count + 'x' == 'y'"] {
            assert!(holds(no_answer).is_err(), "{no_answer}");
        }
        assert!(Condition::read(&"(".repeat(2_000)).is_err());
        assert!(Condition::read(&format!("{}true", "!".repeat(200))).is_err());
        let nested = "vars.a.all(x, vars.b.all(y, x == y))";
        assert!(Condition::read(nested).is_err());
        assert!(Condition::read("vars.a.filter(x, x > 1).all(x, x < 9)").is_ok());
    }

    #[test]
    fn the_names_of_a_condition_are_known() {
        let text =
            "caller == '1' && vars.slots.exists(slot, slot.day == vars.day) || f(sip.header)";
        let names = Condition::read(text).expect("a condition").names();
        let expected = ["caller", "sip.header", "vars.day", "vars.slots"].map(str::to_owned);
        assert_eq!(names, BTreeSet::from(expected));
    }

    #[test]
    fn whatever_is_written_is_read_or_refused() {
        let letters = b"ab.()[]{}'\"!-+*/%<>=&|?:,0x1e\\n\t ";
        let mut random = crate::base::random::Random::repeatable(11);
        for _ in 0..3_000 {
            let length = random.u32() % 40;
            let text: String = (0..length)
                .map(|_| char::from(letters[random.u32() as usize % letters.len()]))
                .collect();
            if let Ok(condition) = Condition::read(&text) {
                condition.holds(&scope()).ok();
            }
        }
    }
}
