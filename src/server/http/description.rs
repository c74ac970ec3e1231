//! What all of the description for programs has in common: who we are, how to show a key, and words
//! for each answer.

use axum::http::StatusCode;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, RefOr};

/// The whole, from what the paths say of themselves.
pub fn of(mut paths: OpenApi) -> OpenApi {
    let info = InfoBuilder::new()
        .title("voxtrunk")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What programs can ask a running voxtrunk. `/v1` only grows: be ready for fields that \
             you do not know. Unknown fields of yours are refused with 422.",
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A key of `voxtrunk key create`: `sk_…`"))
        .build();
    let components = paths.components.take().unwrap_or_default();
    let components = ComponentsBuilder::from(components)
        .security_scheme("key", SecurityScheme::Http(bearer))
        .build();
    paths.paths.paths.values_mut().for_each(word);
    OpenApiBuilder::from(paths)
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("key", [""; 0])]))
        .build()
}

/// Says what each answer is: OpenAPI 3.1 wants a description of each.
fn word(path: &mut PathItem) {
    let methods = [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
    for operation in methods.into_iter().flatten() {
        for (code, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                response.description = meaning(code).to_owned();
            }
        }
    }
}

fn meaning(code: &str) -> &'static str {
    match StatusCode::from_bytes(code.as_bytes()) {
        Ok(status) => status.canonical_reason().unwrap_or("An answer"),
        Err(_) => "A problem: `code` is for programs, `detail` for people",
    }
}
