//! What all of the description for programs has in common: who we are, how to show a key, and words
//! for each answer.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::openapi::{Ref, RefOr, Required, ResponseBuilder, Schema};

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
    for (path, item) in &mut paths.paths.paths {
        let needs_key = path.starts_with("/v1/") || path == "/metrics";
        for operation in each(item) {
            word(operation, needs_key);
            operation.request_body.iter_mut().for_each(let_be_left_out);
        }
    }
    OpenApiBuilder::from(paths)
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("key", [""; 0])]))
        .build()
}

/// What can be asked at one path.
fn each(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
    methods.into_iter().flatten()
}

/// Says what each answer is: OpenAPI 3.1 wants a description of each. Whatever needs a key may be
/// refused for want of it.
fn word(operation: &mut Operation, needs_key: bool) {
    let answers = &mut operation.responses.responses;
    if needs_key {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().content("application/problem+json", problem);
        answers.entry("4XX".to_owned()).or_insert_with(|| response.build().into());
    }
    for (code, response) in answers {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = meaning(code).to_owned();
        }
    }
}

/// A body that may be none is one that may be left out: no `null`, which programs that are made from
/// the description would have to write.
fn let_be_left_out(body: &mut RefOr<RequestBody>) {
    let RefOr::T(body) = body else { return };
    let mut may_be_none = false;
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(either))) = &content.schema else { continue };
        let is_named = |it: &&RefOr<Schema>| matches!(it, RefOr::Ref(_));
        if let Some(named) = either.items.iter().find(is_named).cloned() {
            content.schema = Some(named);
            may_be_none = true;
        }
    }
    if may_be_none {
        body.required = Some(Required::False);
    }
}

fn meaning(code: &str) -> &'static str {
    match StatusCode::from_bytes(code.as_bytes()) {
        Ok(status) => status.canonical_reason().unwrap_or("An answer"),
        Err(_) => "A problem: `code` is for programs, `detail` for people",
    }
}
