//! What programs of Vapi's want of calls: that one begins, and what is to happen in one that is up.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::server::control::protocol::Originate;
use crate::server::importing::pieces::Table;
use crate::server::vapi::drawer::{Drawer, Kind};
use crate::server::vapi::making;

/// What whoever began a call said of it: told again with the call, as long as the server runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// By the names of a call.
    pub says: Table,
}

/// A call that is to begin.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Create {
    name: Option<String>,
    metadata: Option<Value>,
    assistant_id: Option<String>,
    assistant: Option<Table>,
    assistant_overrides: Option<Table>,
    squad_id: Option<String>,
    squad: Option<Table>,
    squad_overrides: Option<Table>,
    phone_number_id: Option<String>,
    phone_number: Option<Value>,
    customer: Option<Customer>,
    #[serde(rename = "type")]
    kind: Option<String>,
    // What is known, and cannot be.
    customers: Option<Value>,
    customer_id: Option<Value>,
    schedule_plan: Option<Value>,
    workflow_id: Option<Value>,
    workflow: Option<Value>,
    workflow_overrides: Option<Value>,
    transport: Option<Value>,
    assistant_version: Option<Value>,
}

/// Whom a call reaches.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Customer {
    number: Option<String>,
    sip_uri: Option<String>,
    name: Option<String>,
    extension: Option<String>,
    // What is said of the customer counts nowhere here.
    #[serde(rename = "numberE164CheckEnabled")]
    _number_check: Option<bool>,
    #[serde(rename = "email")]
    _email: Option<String>,
    external_id: Option<String>,
    assistant_overrides: Option<Table>,
    squad_overrides: Option<Table>,
}

/// Who speaks in a call that is to begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// Somebody in the files, by a destination.
    There(String),
    /// Somebody who is made for this call only.
    Made(Kind, Table),
}

/// A call that is to begin, in our words.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who is called and how; `then` is empty where somebody is made for it.
    pub order: Originate,
    /// Who speaks.
    pub who: Who,
    /// What is told again with the call.
    pub note: Note,
}

impl Create {
    /// Reads what is wanted.
    ///
    /// # Errors
    /// With what is wrong, for whoever wrote it.
    pub fn read(body: Table) -> Result<Self, String> {
        let read = serde_json::from_value(Value::Object(body));
        let create: Self = read.map_err(|why| why.to_string())?;
        let unknown = [
            ("customers", &create.customers, "begin one call for each, or a campaign"),
            ("customerId", &create.customer_id, "write `customer`"),
            ("schedulePlan", &create.schedule_plan, "begin the call when it is time"),
            ("workflowId", &create.workflow_id, "import it as a flow"),
            ("workflow", &create.workflow, "import it as a flow"),
            ("workflowOverrides", &create.workflow_overrides, "import it as a flow"),
            ("transport", &create.transport, "calls go by a trunk"),
            ("assistantVersion", &create.assistant_version, "there is one version: the last"),
        ];
        let found = unknown.into_iter().find(|(_, value, _)| value.is_some());
        match found {
            Some((key, _, instead)) => Err(format!("`{key}` is not known here: {instead}")),
            None => Ok(create),
        }
    }

    /// What it means.
    ///
    /// # Errors
    /// With what is wrong, for whoever wrote it.
    pub fn wanted(self, drawer: &Drawer) -> Result<Wanted, String> {
        let note = self.note();
        let customer = self.customer.clone().unwrap_or_default();
        if customer.extension.is_some() {
            let how = "let the assistant press keys with a tool of the type `dtmf`";
            return Err(format!("`customer.extension` is not known here: {how}"));
        }
        let to = match (&customer.number, &customer.sip_uri) {
            (Some(number), None) => number.clone(),
            (None, Some(uri)) => uri.clone(),
            _ => return Err("say `customer.number` or `customer.sipUri`".to_owned()),
        };
        let from = self.number(drawer)?;
        let (who, given) = self.who(drawer, &customer)?;
        let mut variables = given;
        // Templates of theirs name whom they call; ours name who calls.
        variables.entry("caller".to_owned()).or_insert_with(|| to.clone());
        if let Some(name) = &customer.name {
            variables.entry("caller_name".to_owned()).or_insert_with(|| name.clone());
        }
        let then = match &who {
            Who::There(then) => then.clone(),
            Who::Made(..) => String::new(),
        };
        let order = Originate {
            to,
            then,
            from,
            name: None,
            variables,
            ring_s: None,
            amd: None,
            traceparent: None,
        };
        Ok(Wanted { order, who, note })
    }

    /// The number that is shown.
    fn number(&self, drawer: &Drawer) -> Result<String, String> {
        let of_body = || self.phone_number.as_ref().and_then(|it| it["number"].as_str());
        let Some(id) = &self.phone_number_id else {
            return Ok(of_body().unwrap_or_default().to_owned());
        };
        let kept = drawer.one(Kind::PhoneNumbers, id);
        let kept = kept.ok_or_else(|| format!("there is no phone number `{id}`"))?;
        Ok(making::number(kept).unwrap_or_default().to_owned())
    }

    /// Who speaks, and what templates are given.
    fn who(
        self,
        drawer: &Drawer,
        customer: &Customer,
    ) -> Result<(Who, BTreeMap<String, String>), String> {
        let sources = [
            self.assistant_id.is_some(),
            self.assistant.is_some(),
            self.squad_id.is_some(),
            self.squad.is_some(),
        ];
        if sources.into_iter().filter(|it| *it).count() != 1 {
            let text = "say one of `assistantId`, `assistant`, `squadId` and `squad`";
            return Err(text.to_owned());
        }
        let is_squad = self.squad_id.is_some() || self.squad.is_some();
        let (kind, overrides) = match is_squad {
            true => (Kind::Squads, [self.squad_overrides, customer.squad_overrides.clone()]),
            false => {
                (Kind::Assistants, [self.assistant_overrides, customer.assistant_overrides.clone()])
            }
        };
        let mut over: Table = overrides.into_iter().flatten().flatten().collect();
        let given = variables(over.remove("variableValues"))?;
        let id = self.assistant_id.or(self.squad_id);
        let own = self.assistant.or(self.squad);
        let base = match (id, own) {
            (Some(id), _) if over.is_empty() => {
                let to = drawer.destination(kind, &id);
                let to = to.ok_or_else(|| format!("there is no {} `{id}`", kind.name()))?;
                return Ok((Who::There(to), given));
            }
            (Some(id), _) => {
                let kept = drawer.one(kind, &id);
                let text =
                    || format!("there is no {} `{id}` that could be overridden", kind.name());
                kept.ok_or_else(text)?.says.clone()
            }
            (None, own) => own.unwrap_or_default(),
        };
        Ok((Who::Made(kind, overridden(kind, base, over)), given))
    }

    fn note(&self) -> Note {
        let customer = self.customer.as_ref();
        let given = [
            ("name", self.name.clone().map(Value::from)),
            ("metadata", self.metadata.clone()),
            ("assistantId", self.assistant_id.clone().map(Value::from)),
            ("assistantOverrides", self.assistant_overrides.clone().map(Value::from)),
            ("squadId", self.squad_id.clone().map(Value::from)),
            ("phoneNumberId", self.phone_number_id.clone().map(Value::from)),
            ("customer", customer.map(told)),
        ];
        let says = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Note { says: says.collect() }
    }
}

/// A customer as it is told again.
fn told(customer: &Customer) -> Value {
    let given = [
        ("number", &customer.number),
        ("sipUri", &customer.sip_uri),
        ("name", &customer.name),
        ("externalId", &customer.external_id),
    ];
    let says =
        given.into_iter().filter_map(|(key, it)| Some((key.to_owned(), json!(it.as_ref()?))));
    Value::Object(says.collect())
}

/// An assistant of which some keys are otherwise; of a squad, those of all members.
fn overridden(kind: Kind, mut base: Table, over: Table) -> Table {
    if over.is_empty() {
        return base;
    }
    if kind == Kind::Squads {
        let all = base.entry("membersOverrides").or_insert_with(|| json!({}));
        if let Value::Object(all) = all {
            all.extend(over);
        }
        return base;
    }
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            // A model keeps what is not said of it.
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

/// What templates are given, as texts.
fn variables(values: Option<Value>) -> Result<BTreeMap<String, String>, String> {
    let values = match values {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => return Err("`variableValues` is an object".to_owned()),
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(values.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// What is to happen in a call that is up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Control {
    /// The assistant says something.
    Say {
        /// The words.
        content: String,
        /// Whether the call ends when they were heard.
        #[serde(default, alias = "endCallAfterSpoken")]
        end_call_after_spoken: bool,
    },
    /// It ends.
    EndCall {},
    /// The caller goes elsewhere.
    Transfer {
        /// Where.
        destination: Destination,
        /// What is said before.
        #[serde(default)]
        content: Option<String>,
    },
}

/// Where a caller goes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Destination {
    /// To a number.
    Number {
        /// In E.164.
        number: String,
    },
    /// To a SIP address.
    Sip {
        /// The address.
        sip_uri: String,
    },
    /// To another assistant, by its name.
    Assistant {
        /// The name.
        assistant_name: String,
    },
}

impl Control {
    /// Reads an order.
    ///
    /// # Errors
    /// With what is wrong, for whoever wrote it.
    pub fn read(body: &Table) -> Result<Self, String> {
        let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
        let read = serde_json::from_value(Value::Object(body.clone()));
        read.map_err(|why| match kind {
            "add-message" | "control" | "handoff" => {
                format!("`{kind}` is not known here; `say`, `transfer` and `end-call` are")
            }
            _ => why.to_string(),
        })
    }
}

impl Destination {
    /// In our words.
    ///
    /// # Errors
    /// When there is no such assistant.
    pub fn written(&self, drawer: &Drawer) -> Result<String, String> {
        match self {
            Self::Number { number } => Ok(format!("tel:{number}")),
            Self::Sip { sip_uri } => Ok(sip_uri.clone()),
            Self::Assistant { assistant_name } => {
                let mut all = drawer.all(Kind::Assistants).iter();
                let found = all.find(|it| it.text("name") == Some(assistant_name));
                let found = found.and_then(|it| it.name.as_deref());
                let name = found.ok_or_else(|| format!("there is no assistant `{assistant_name}`"));
                Ok(format!("agent:{}", name?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::server::vapi::drawer::Stamp;

    fn table(value: Value) -> Table {
        value.as_object().expect("a table").clone()
    }

    fn drawer() -> Drawer {
        let mut drawer = Drawer::default();
        let mut put = |kind, id: &str, says| {
            let stamp = Stamp { id: id.to_owned(), at: String::new() };
            drawer.put(kind, table(says), stamp, &BTreeSet::new()).expect("there is room");
        };
        let model = json!({ "provider": "openai", "model": "gpt-4.1" });
        put(Kind::Assistants, "a1", json!({ "name": "Mary", "model": model }));
        put(Kind::PhoneNumbers, "p1", json!({ "number": "+4930" }));
        drawer
    }

    fn wanted(body: Value) -> Result<Wanted, String> {
        Create::read(table(body))?.wanted(&drawer())
    }

    #[test]
    fn a_call_is_wanted_as_their_programs_say_it() {
        let told = wanted(json!({
            "assistantId": "a1", "phoneNumberId": "p1", "name": "x", "metadata": { "order": 7 },
            "customer": { "number": "+49711", "name": "Ann" },
            "assistantOverrides": { "variableValues": { "day": "Monday", "count": 2 } },
        }))
        .expect("it can be");
        assert_eq!(told.who, Who::There("agent:mary".to_owned()));
        let order = &told.order;
        assert_eq!((&*order.to, &*order.then, &*order.from), ("+49711", "agent:mary", "+4930"));
        let given =
            ["caller", "caller_name", "count", "day"].map(|it| order.variables[it].as_str());
        assert_eq!(given, ["+49711", "Ann", "2", "Monday"]);
        assert_eq!(told.note.says["metadata"], json!({ "order": 7 }));
        assert_eq!(told.note.says["customer"], json!({ "number": "+49711", "name": "Ann" }));
    }

    #[test]
    fn what_is_overridden_is_made_for_the_call() {
        let customer = json!({ "sipUri": "sip:ann@127.0.0.1" });
        let told = wanted(json!({ "assistantId": "a1", "customer": customer,
            "assistantOverrides": { "firstMessage": "Hi.", "model": { "model": "other" } } }));
        let Who::Made(kind, says) = told.expect("it can be").who else { panic!("nobody is made") };
        assert_eq!(kind, Kind::Assistants);
        assert_eq!(says["model"], json!({ "provider": "openai", "model": "other" }));
        assert_eq!((&says["firstMessage"], &says["name"]), (&json!("Hi."), &json!("Mary")));
        let told = wanted(json!({ "customer": customer, "squad": { "members": [] },
            "squadOverrides": { "voice": { "provider": "vapi" } } }));
        let Who::Made(kind, says) = told.expect("it can be").who else { panic!("nobody is made") };
        assert_eq!(
            (kind, &says["membersOverrides"]["voice"]["provider"]),
            (Kind::Squads, &json!("vapi"))
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        let customer = json!({ "number": "+49711" });
        for (body, why) in [
            (json!({ "customer": customer }), "say one of"),
            (json!({ "customer": customer, "assistantId": "a1", "squadId": "s" }), "say one of"),
            (json!({ "assistantId": "a1" }), "customer.number"),
            (json!({ "assistantId": "a 2", "customer": customer }), "no assistant `a 2`"),
            (json!({ "assistantId": "a1", "phoneNumberId": "p2", "customer": customer }), "`p2`"),
            (json!({ "assistantId": "a1", "customers": [] }), "a campaign"),
            (json!({ "assistantId": "a1", "custmer": {} }), "`custmer`"),
        ] {
            let told = wanted(body.clone()).expect_err("it cannot be");
            assert!(told.contains(why), "{body}: {told}");
        }
    }

    #[test]
    fn orders_to_a_call_are_read() {
        let read = |body: Value| Control::read(&table(body));
        let say = read(json!({ "type": "say", "content": "Hello.", "endCallAfterSpoken": true }));
        assert_eq!(
            say,
            Ok(Control::Say { content: "Hello.".to_owned(), end_call_after_spoken: true })
        );
        assert_eq!(read(json!({ "type": "end-call" })), Ok(Control::EndCall {}));
        let to = json!({ "type": "sip", "sipUri": "sip:a@b" });
        let Ok(Control::Transfer { destination, .. }) =
            read(json!({ "type": "transfer", "destination": to }))
        else {
            panic!("it reads")
        };
        assert_eq!(destination.written(&drawer()).as_deref(), Ok("sip:a@b"));
        let named = Destination::Assistant { assistant_name: "Mary".to_owned() };
        assert_eq!(named.written(&drawer()).as_deref(), Ok("agent:mary"));
        assert!(read(json!({ "type": "add-message" })).is_err_and(|why| why.contains("`say`")));
    }
}
