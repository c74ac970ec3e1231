//! The parameters of a tool, as an operator writes them and as JSON Schema (draft 7).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, json};

use crate::base::schema::Either;

/// One parameter: `"string"`, or a table that says more.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(with = "Either<Sort, Long>")]
pub struct Parameter {
    /// What it is; the word itself where nobody knows it.
    pub sort: Sort,
    /// What it is for.
    pub description: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// What a text may be, if not anything.
    pub choices: Vec<String>,
    /// The least number.
    pub minimum: Option<f64>,
    /// The greatest number.
    pub maximum: Option<f64>,
    /// What the elements of a list are.
    pub items: Option<Sort>,
}

/// What a value is.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("enum" = Sort::NAMES))]
pub enum Sort {
    /// A text.
    #[default]
    Text,
    /// A text of this form.
    Formed(Format),
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// Nothing that we know.
    Unknown(String),
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A day: `2026-12-24`.
    Date,
    /// A time of day: `18:00`.
    Time,
    /// A telephone number: `+4971112345`.
    Phone,
    /// An e-mail address.
    Email,
}

impl Format {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Time => "time",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }

    /// How a value of it looks.
    pub fn example(self) -> &'static str {
        match self {
            Self::Date => "2026-12-24",
            Self::Time => "18:00",
            Self::Phone => "+4971112345",
            Self::Email => "name@example.com",
        }
    }
}

impl Sort {
    /// The sorts by name.
    pub const NAMES: [&str; 9] =
        ["string", "integer", "number", "boolean", "array", "date", "time", "phone", "email"];

    /// The sort of this name.
    pub fn named(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "array" => Self::List,
            "date" => Self::Formed(Format::Date),
            "time" => Self::Formed(Format::Time),
            "phone" => Self::Formed(Format::Phone),
            "email" => Self::Formed(Format::Email),
            unknown => Self::Unknown(unknown.to_owned()),
        }
    }

    fn schema(&self) -> Map<String, Value> {
        let (name, format) = match self {
            Self::Text | Self::Unknown(_) => ("string", None),
            Self::Formed(format) => ("string", Some(format.name())),
            Self::Integer => ("integer", None),
            Self::Number => ("number", None),
            Self::Boolean => ("boolean", None),
            Self::List => ("array", None),
        };
        let mut schema = Map::from_iter([("type".to_owned(), name.into())]);
        schema.extend(format.map(|format| ("format".to_owned(), format.into())));
        schema
    }
}

/// The JSON Schema of all arguments, for a model.
pub fn schema(parameters: &BTreeMap<String, Parameter>) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|(name, it)| (name.clone(), it.schema())).collect();
    let required: Vec<&String> =
        parameters.iter().filter(|(_, it)| !it.optional).map(|(name, _)| name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

impl Parameter {
    fn schema(&self) -> Value {
        let mut schema = self.sort.schema();
        let mut set = |key: &str, value: Value| {
            schema.insert(key.to_owned(), value);
        };
        if !self.description.is_empty() {
            set("description", self.description.as_str().into());
        }
        if !self.choices.is_empty() {
            set("enum", json!(self.choices));
        }
        if self.sort == Sort::List {
            set("items", self.items.clone().unwrap_or_default().schema().into());
        }
        for (key, bound) in [("minimum", self.minimum), ("maximum", self.maximum)] {
            if let Some(bound) = bound {
                // A whole number looks like one.
                let whole =
                    (bound.fract() == 0.0 && bound.abs() < 1e15).then(|| json!(bound as i64));
                set(key, whole.unwrap_or_else(|| json!(bound)));
            }
        }
        schema.into()
    }
}

/// The long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// What it is.
    #[serde(rename = "type")]
    #[schemars(with = "Sort")]
    sort: String,
    /// The form of a text.
    #[serde(default)]
    format: Option<Format>,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Whether it may be left out.
    #[serde(default)]
    optional: bool,
    /// What a text may be, if not anything.
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    /// The least number.
    #[serde(default)]
    minimum: Option<f64>,
    /// The greatest number.
    #[serde(default)]
    maximum: Option<f64>,
    /// What the elements of a list are.
    #[serde(default)]
    #[schemars(with = "Option<Sort>")]
    items: Option<String>,
}

impl From<Long> for Parameter {
    fn from(long: Long) -> Self {
        let sort = match (Sort::named(&long.sort), long.format) {
            (Sort::Text, Some(format)) => Sort::Formed(format),
            (sort, _) => sort,
        };
        Self {
            sort,
            description: long.description,
            optional: long.optional,
            choices: long.choices,
            minimum: long.minimum,
            maximum: long.maximum,
            items: long.items.as_deref().map(Sort::named),
        }
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Parameter;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a type, or a table with `type`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Parameter, E> {
                Ok(Parameter { sort: Sort::named(name), ..Parameter::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Parameter, A::Error> {
                let table = de::value::MapAccessDeserializer::new(table);
                Long::deserialize(table).map(Parameter::from)
            }
        }
        source.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_a_json_schema() {
        let written = r#"{
            "name": "string",
            "date": { "type": "string", "format": "date", "description": "Day" },
            "service": { "type": "string", "enum": ["consulting", "repair"], "optional": true },
            "seats": { "type": "integer", "minimum": 1, "maximum": 9 },
            "tags": { "type": "array", "items": "string", "optional": true }
        }"#;
        let parameters: BTreeMap<String, Parameter> =
            serde_json::from_str(written).expect("parameters");
        let expected = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "date": { "type": "string", "format": "date", "description": "Day" },
                "service": { "type": "string", "enum": ["consulting", "repair"] },
                "seats": { "type": "integer", "minimum": 1, "maximum": 9 },
                "tags": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["date", "name", "seats"],
            "additionalProperties": false,
        });
        assert_eq!(schema(&parameters), expected);
        assert_eq!(Sort::named("text"), Sort::Unknown("text".to_owned()));
        assert!(Sort::NAMES.iter().all(|name| !matches!(Sort::named(name), Sort::Unknown(_))));
    }
}
