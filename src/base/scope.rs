//! What templates and conditions may name: values by name, nested as in JSON (RFC 8259).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// Plain texts by name.
pub type Variables = BTreeMap<String, String>;

/// Values by name. `vars.slots` is the value `slots` of the table `vars`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope(Map<String, Value>);

impl Scope {
    /// The scope of these variables; headers stand together below `sip.header`, in the case in
    /// which they were written and in lower case.
    pub fn of(variables: &Variables) -> Self {
        let mut scope = Self::default();
        scope.set("sip.header", Map::new());
        for (name, value) in variables {
            match name.strip_prefix(HEADER) {
                Some(header) => scope.set_header(header, value),
                None => scope.set(name, value.as_str()),
            }
        }
        scope
    }

    /// Sets a value; tables on the way to it are made, and replace what is no table.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let (way, name) = path.rsplit_once('.').unwrap_or(("", path));
        self.table(way).insert(name.to_owned(), value.into());
    }

    /// Sets a header of the INVITE.
    pub fn set_header(&mut self, name: &str, value: &str) {
        let headers = self.table("sip.header");
        headers.entry(name.to_ascii_lowercase()).or_insert_with(|| value.into());
        headers.insert(name.to_owned(), value.into());
    }

    /// Finds a value.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_object()?.get(part))
    }

    /// The values by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The table at a path, which is made when it is not there.
    fn table(&mut self, way: &str) -> &mut Map<String, Value> {
        let mut table = &mut self.0;
        for part in way.split('.').filter(|part| !part.is_empty()) {
            let value = table.entry(part).or_insert(Value::Null);
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            let Value::Object(inner) = value else { unreachable!("it was made one") };
            table = inner;
        }
        table
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(target)
    }
}

/// What the variable of a header begins with.
pub(super) const HEADER: &str = "sip.header.";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_set_and_found_by_their_path() {
        let mut scope = Scope::default();
        scope.set("caller", "+49711");
        scope.set("vars.slots", json!(["10:00", "11:00"]));
        scope.set("vars.day", json!({ "name": "Monday" }));
        assert_eq!(scope.get("caller"), Some(&json!("+49711")));
        assert_eq!(scope.get("vars.slots"), Some(&json!(["10:00", "11:00"])));
        assert_eq!(scope.get("vars.day.name"), Some(&json!("Monday")));
        for nothing in ["", "vars.x", "caller.x", "vars.slots.0", "vars."] {
            assert_eq!(scope.get(nothing), None, "{nothing}");
        }
        scope.set("caller.number", 5);
        assert_eq!(scope.get("caller"), Some(&json!({ "number": 5 })));
    }

    #[test]
    fn variables_with_dots_are_nested_and_headers_stand_together() {
        let variables = [("call.id", "7"), ("sip.header.X-Customer.No", "4711")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let scope = Scope::of(&Variables::from(variables));
        let headers = json!({ "X-Customer.No": "4711", "x-customer.no": "4711" });
        assert_eq!(scope.get("sip.header"), Some(&headers));
        assert_eq!(scope.get("call.id"), Some(&json!("7")));
    }
}
