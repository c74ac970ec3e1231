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
    environment.render_str(template, variables).map_err(|why| TemplateError(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_and_unknown_ones_are_empty() {
        let variables = Variables::from([("day".to_owned(), "Monday".to_owned())]);
        assert_eq!(render("On {{ day }}{{ x }}.", &variables), Ok("On Monday.".to_owned()));
        assert!(render("{{ day", &variables).is_err());
    }
}
