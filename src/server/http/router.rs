//! Which path leads where, and what a key must allow for it: the one list of all that can be asked.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::openapi::{OpenApi, Server};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::http::gate::{Gate, admit};
use crate::server::http::service::Service;
use crate::server::http::{
    audit, calls, campaigns, console, description, docs, events, files, front, health, insight,
    keys, labels, metrics, models, numbers, orders, origination, peaks, queues, recordings,
    schedules, steering, telephony, things, tickets, transcripts, trunks, usage, voicemails,
    webhooks,
};
use crate::store::api_keys::Scope;

/// What the door of programs tells of itself, and to whom.
#[derive(Debug, Clone, Default)]
pub struct Face {
    /// Whether it tells everybody what can be asked.
    pub api_docs: bool,
    /// Where others reach it, when that is not where it is.
    pub url: Option<String>,
    /// The sites whose pages may ask.
    pub cors: Vec<String>,
    /// Whether it is told what was counted.
    pub metrics: bool,
}

/// The door of programs.
pub fn public(service: Service, gate: &Arc<Gate>, face: &Face) -> Router {
    let gated = |router: OpenApiRouter<Service>, scope| {
        router.route_layer(from_fn_with_state((gate.clone(), scope), admit))
    };
    let all = open()
        .merge(gated(looks(), Scope::Read))
        .merge(gated(acts(), Scope::Operate))
        .merge(gated(rules(), Scope::Admin));
    let all = if face.metrics { all.merge(gated(counted(), Scope::Read)) } else { all };
    let (mut router, _) = all.split_for_parts();
    if face.api_docs {
        // It is made once: strangers may ask for it as often as they like.
        let mut all = openapi();
        all.servers = face.url.as_ref().map(|url| vec![Server::new(url)]);
        let text = Bytes::from(all.to_json().unwrap_or_default());
        let json = [(header::CONTENT_TYPE, "application/json")];
        router = router.route("/openapi.json", get(move || std::future::ready((json, text))));
        router = router.merge(docs::pages());
    }
    let router = dressed(router.merge(telephony::pages(gate)), service);
    match face.cors.is_empty() {
        true => router,
        false => router.layer(cors(&face.cors)),
    }
}

/// Tells browsers whose pages may ask (the Fetch Standard, 3.3). Nothing here goes by cookies: whoever
/// has no key gets nowhere.
fn cors(sites: &[String]) -> CorsLayer {
    let sites = sites.iter().filter_map(|site| HeaderValue::from_str(site).ok());
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(sites))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::RANGE,
            name("idempotency-key"),
            name("last-event-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::LINK,
            header::RETRY_AFTER,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            name("x-request-id"),
            name("idempotent-replayed"),
        ])
        .max_age(REMEMBERED)
}

/// The door of those who watch over the server: metrics and health, without a key.
pub fn admin(service: Service, metrics: bool) -> Router {
    let all = if metrics { open().merge(counted()) } else { open() };
    let (router, _) = all.split_for_parts();
    dressed(router, service)
}

/// What can be asked, in OpenAPI 3.1.
pub fn openapi() -> OpenApi {
    let all = open().merge(looks()).merge(counted()).merge(acts()).merge(rules());
    description::of(all.into_openapi())
}

/// What needs no key.
fn open() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(health::live)).routes(routes!(health::ready))
}

/// What a key that may read is enough for.
fn looks() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(files::status))
        .routes(routes!(calls::list))
        .routes(routes!(calls::get))
        .routes(routes!(insight::export))
        .routes(routes!(insight::count))
        .routes(routes!(transcripts::get))
        .routes(routes!(recordings::get))
        .routes(routes!(peaks::get))
        .routes(routes!(orders::sip))
        .routes(routes!(events::of_call))
        .routes(routes!(events::all))
        .routes(routes!(trunks::list))
        .routes(routes!(trunks::get))
        .routes(routes!(trunks::phones))
        .routes(routes!(queues::list))
        .routes(routes!(voicemails::list))
        .routes(routes!(voicemails::get))
        .routes(routes!(voicemails::sound))
        .routes(routes!(models::list))
        .routes(routes!(usage::list))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::log))
        .routes(routes!(schedules::list))
        .routes(routes!(numbers::list))
        .routes(routes!(numbers::get))
        .routes(routes!(campaigns::list))
        .routes(routes!(campaigns::get))
        .routes(routes!(campaigns::rows))
        .routes(routes!(files::route))
        .routes(routes!(files::history))
        .routes(routes!(tickets::create))
        .merge(written())
}

/// What was counted.
fn counted() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(metrics::show))
}

/// What acts upon calls and trunks, or costs the server more than a look.
fn acts() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(origination::create))
        .routes(routes!(labels::update))
        .routes(routes!(orders::end))
        .routes(routes!(orders::mute))
        .routes(routes!(orders::unmute))
        .routes(routes!(orders::hold))
        .routes(routes!(orders::unhold))
        .routes(routes!(orders::oversee))
        .routes(routes!(orders::record))
        .routes(routes!(steering::transfer))
        .routes(routes!(steering::say))
        .routes(routes!(steering::press))
        .routes(routes!(voicemails::mark, voicemails::delete))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(campaigns::start))
        .routes(routes!(campaigns::pause))
        .routes(routes!(campaigns::resume))
        .routes(routes!(campaigns::stop))
        .routes(routes!(campaigns::dnc))
        .routes(routes!(trunks::test))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::replay))
        .routes(routes!(files::check))
}

/// What changes how the server works.
fn rules() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(files::reload))
        .routes(routes!(files::diff))
        .routes(routes!(files::rollback))
        .routes(routes!(keys::list))
        .routes(routes!(keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(console::open))
        .merge(editing())
}

/// What stands in the files.
fn written() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(things::agents::list))
        .routes(routes!(things::agents::get))
        .routes(routes!(things::squads::list))
        .routes(routes!(things::squads::get))
        .routes(routes!(things::flows::list))
        .routes(routes!(things::flows::get))
        .routes(routes!(things::tools::list))
        .routes(routes!(things::tools::get))
        .routes(routes!(things::routes::list))
        .routes(routes!(things::routes::get))
        .routes(routes!(things::menus::list))
        .routes(routes!(things::menus::get))
        .routes(routes!(things::hours::list))
        .routes(routes!(things::hours::get))
        .routes(routes!(things::lists::list))
        .routes(routes!(things::lists::get))
        .routes(routes!(things::queues::list))
        .routes(routes!(things::queues::get))
        .routes(routes!(things::trunks::list))
        .routes(routes!(things::trunks::get))
        .routes(routes!(things::phones::list))
        .routes(routes!(things::phones::get))
        .routes(routes!(things::providers::list))
        .routes(routes!(things::providers::get))
        .routes(routes!(things::webhooks::list))
        .routes(routes!(things::webhooks::get))
        .routes(routes!(things::campaigns::list))
        .routes(routes!(things::campaigns::get))
        .routes(routes!(things::schedules::list))
        .routes(routes!(things::schedules::get))
        .routes(routes!(things::tenants::list))
        .routes(routes!(things::tenants::get))
}

/// What changes it.
fn editing() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(things::agents::put, things::agents::patch, things::agents::delete))
        .routes(routes!(things::squads::put, things::squads::patch, things::squads::delete))
        .routes(routes!(things::flows::put, things::flows::patch, things::flows::delete))
        .routes(routes!(things::tools::put, things::tools::patch, things::tools::delete))
        .routes(routes!(things::routes::put, things::routes::patch, things::routes::delete))
        .routes(routes!(things::menus::put, things::menus::patch, things::menus::delete))
        .routes(routes!(things::hours::put, things::hours::patch, things::hours::delete))
        .routes(routes!(things::lists::put, things::lists::patch, things::lists::delete))
        .routes(routes!(things::queues::put, things::queues::patch, things::queues::delete))
        .routes(routes!(things::trunks::put, things::trunks::patch, things::trunks::delete))
        .routes(routes!(things::phones::put, things::phones::patch, things::phones::delete))
        .routes(routes!(
            things::providers::put,
            things::providers::patch,
            things::providers::delete
        ))
        .routes(routes!(things::webhooks::put, things::webhooks::patch, things::webhooks::delete))
        .routes(routes!(
            things::campaigns::put,
            things::campaigns::patch,
            things::campaigns::delete
        ))
        .routes(routes!(
            things::schedules::put,
            things::schedules::patch,
            things::schedules::delete
        ))
        .routes(routes!(things::tenants::put, things::tenants::patch, things::tenants::delete))
}

fn dressed(router: Router<Service>, service: Service) -> Router {
    router
        .fallback(front::nowhere)
        .method_not_allowed_fallback(front::not_so)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(front::dress))
        .with_state(service)
}

/// How long a browser remembers who may ask.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The largest body, in octets.
const LARGEST_BODY: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    #[test]
    fn the_description_in_the_tree_is_that_of_the_program() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
        let text = openapi().to_pretty_json().expect("JSON") + "\n";
        if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
            std::fs::write(&path, &text).expect("it is written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "INSTA_UPDATE=always renews {}", path.display());
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert!(value["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        for (path, item) in value["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                let what = format!("{method} {path}");
                assert!(operation["operationId"].is_string(), "{what}");
                assert!(operation["summary"].is_string(), "{what} says nothing");
                assert_eq!(placed(operation), named(path), "{what}");
                for answer in operation["responses"].as_object().expect("answers").values() {
                    assert!(answer["description"].is_string(), "{what}: OpenAPI 3.1 wants words");
                }
            }
        }
    }

    #[test]
    fn two_things_that_are_described_have_two_names() {
        let mut known = BTreeMap::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server")];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                for name in text.split("ToSchema)]").skip(1).filter_map(first_name) {
                    let other = known.insert(name.to_owned(), path.clone());
                    assert_eq!(other, None, "{name} stands in {}, too", path.display());
                }
            }
        }
        assert!(known.len() > 50, "where are they? {known:?}");
    }

    /// The name of the type that some source begins with.
    fn first_name(source: &str) -> Option<&str> {
        let mut words = source.split([' ', '\n', '<', '(', '{', ';']);
        words.find(|word| ["struct", "enum"].contains(word))?;
        words.next()
    }

    /// What a path leaves open.
    fn named(path: &str) -> BTreeSet<&str> {
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// What an operation says of that.
    fn placed(operation: &Value) -> BTreeSet<&str> {
        let all = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|it| it["in"] == "path").filter_map(|it| it["name"].as_str()).collect()
    }
}
