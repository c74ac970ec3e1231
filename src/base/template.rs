//! Templates with `{{ variables }}`, rendered per call (MiniJinja, no file access, no escaping:
//! the text is spoken).

use std::collections::BTreeMap;

/// What a template may name: plain texts by name.
pub type Variables = BTreeMap<String, String>;

/// Why a template does not render: one sentence with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

/// Renders `template` with `variables`; an unknown variable is empty, as speech wants it.
///
/// # Errors
/// When the template does not parse or a filter fails.
pub fn render(template: &str, variables: &Variables) -> Result<String, TemplateError> {
    if !template.contains("{{") && !template.contains("{%") {
        return Ok(template.to_owned());
    }
    let mut environment = minijinja::Environment::empty();
    environment.set_fuel(Some(10_000));
    let rendered = environment.render_str(template, nested(variables));
    rendered.map_err(|why| TemplateError(why.to_string()))
}

/// The variable that holds a header of the INVITE: `{{ sip.header["X-Customer"] }}`.
pub fn header(name: &str) -> String {
    format!("{HEADER}{name}")
}

/// What the template sees: headers stand together below `sip.header`, in the case in which they
/// were written and in lower case.
fn nested(variables: &Variables) -> BTreeMap<&str, minijinja::Value> {
    let mut seen = BTreeMap::new();
    let mut headers: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in variables {
        match name.strip_prefix(HEADER) {
            Some(header) => {
                headers.insert(header.to_ascii_lowercase(), value);
                headers.insert(header.to_owned(), value);
            }
            None => {
                seen.insert(name.as_str(), minijinja::Value::from(value.as_str()));
            }
        }
    }
    let headers = minijinja::Value::from_pairs(headers);
    seen.insert("sip", minijinja::Value::from_pairs([("header", headers)]));
    seen
}

const HEADER: &str = "sip.header.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_and_unknown_ones_are_empty() {
        let variables = Variables::from([("day".to_owned(), "Monday".to_owned())]);
        assert_eq!(render("On {{ day }}{{ x }}.", &variables), Ok("On Monday.".to_owned()));
        assert!(render("{{ day", &variables).is_err());
    }

    #[test]
    fn headers_are_found_as_they_are_written_and_in_lower_case() {
        let variables = Variables::from([(header("X-Customer"), "4711".to_owned())]);
        let text =
            "{{ sip.header[\"X-Customer\"] }} {{ sip.header[\"x-customer\"] }}{{ sip.header.no }}";
        assert_eq!(render(text, &variables), Ok("4711 4711".to_owned()));
        assert_eq!(render("{{ sip.header.x }}.", &Variables::new()), Ok(".".to_owned()));
    }
}
