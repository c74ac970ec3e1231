//! Templates with `{{ variables }}`, rendered per call (MiniJinja, no file access, no escaping:
//! the text is spoken).

use std::collections::BTreeSet;

use crate::base::scope::HEADER;
pub use crate::base::scope::{Scope, Variables};

/// Why a template does not render: one sentence with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

/// Renders `template` with `variables`; an unknown variable is empty, as speech wants it.
///
/// # Errors
/// When the template does not parse or a filter fails.
pub fn render(template: &str, variables: &Variables) -> Result<String, TemplateError> {
    if is_plain(template) {
        return Ok(template.to_owned());
    }
    render_in(template, &Scope::of(variables))
}

/// Renders `template` with what it finds in `scope`, as [`render`] does.
///
/// # Errors
/// When the template does not parse or a filter fails.
pub fn render_in(template: &str, scope: &Scope) -> Result<String, TemplateError> {
    if is_plain(template) {
        return Ok(template.to_owned());
    }
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_fuel(Some(MOST_STEPS));
    let rendered = environment.render_str(template, minijinja::value::Serde(scope));
    rendered.map_err(|why| TemplateError(why.to_string()))
}

/// The names that a template takes from its scope, with what stands before them: `vars.day`.
///
/// # Errors
/// When the template does not parse.
pub fn names(template: &str) -> Result<BTreeSet<String>, TemplateError> {
    let environment = minijinja::Environment::new();
    let parsed = environment.template_from_str(template);
    let parsed = parsed.map_err(|why| TemplateError(why.to_string()))?;
    Ok(parsed.undeclared_variables(true).into_iter().collect())
}

/// Whether nothing is to be filled in.
fn is_plain(template: &str) -> bool {
    !template.contains("{{") && !template.contains("{%") && !template.contains("{#")
}

/// The variable that holds a header of the INVITE: `{{ sip.header["X-Customer"] }}`.
pub fn header(name: &str) -> String {
    format!("{HEADER}{name}")
}

/// How many steps a template may take.
const MOST_STEPS: u64 = 10_000;

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
    fn what_is_nested_is_found_and_what_is_not_there_is_empty() {
        let mut scope = Scope::default();
        scope.set("vars.slots", serde_json::json!(["10:00", "11:00"]));
        let filled = render_in("{{ vars.slots | join(' or ') }}{{ args.x.y }}.", &scope);
        assert_eq!(filled, Ok("10:00 or 11:00.".to_owned()));
        let json = render_in("{{ vars.slots | tojson }}", &scope);
        assert_eq!(json, Ok("[\"10:00\", \"11:00\"]".to_owned()));
        let endless =
            "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}";
        assert!(render_in(endless, &scope).is_err());
    }

    #[test]
    fn the_names_of_a_template_are_known() {
        let found = names("{{ vars.day }} {% for slot in slots %}{{ slot }}{% endfor %}");
        let expected = ["slots", "vars.day"].map(str::to_owned);
        assert_eq!(found, Ok(BTreeSet::from(expected)));
        assert!(names("{{ day").is_err());
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
