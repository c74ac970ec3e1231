//! What stands in the operator's files by name: looked at, made, changed and removed, in the file and
//! at the place where it stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::config::editing::kind::Kind;
use crate::config::editing::wish::{Act, Condition, Wish};
use crate::server::control::clerk::Clerk;
use crate::server::control::edits::{EditedView, Rejected, ThingView};
use crate::server::control::protocol::{Ask, Reload};
use crate::server::control::socket::patience;
use crate::server::control::view::List;
use crate::server::http::asked::{Asked, Name, Written};
use crate::server::http::front::late;
use crate::server::http::gate::Sums;
use crate::server::http::problem::{Code, Problem};
use crate::store::audit::sum;

/// How something is to be changed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Whether it is only told what would come of it: nothing is written.
    dry_run: bool,
}

/// How a route is to be written, and where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Where {
    /// Whether it is only told what would come of it: nothing is written.
    dry_run: bool,
    /// Before which one a new route is to stand, by name or place. Otherwise it is the last.
    before: Option<String>,
}

impl From<How> for Where {
    fn from(How { dry_run }: How) -> Self {
        Self { dry_run, before: None }
    }
}

/// The resources of one kind.
macro_rules! things {
    ($module:ident, $kind:ident, $place:ident, $all:tt, $one:tt, $tag:tt,
        [$list:tt, $get:tt, $put:tt, $patch:tt, $delete:tt]) => {
        pub mod $module {
            use super::*;

            /// All of them, as they are written in the files.
            #[utoipa::path(get, path = $all, operation_id = $list, tag = $tag,
                responses((status = OK, body = List<ThingView>),
                    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
            pub async fn list(
                State(clerk): State<Arc<Clerk>>,
            ) -> Result<Json<List<ThingView>>, Problem> {
                all(&clerk, Kind::$kind).await
            }

            /// One, as it is written in the files, without its secrets: they are `***`.
            #[utoipa::path(get, path = $one, operation_id = $get, tag = $tag,
                params(("name" = String, Path, description = "Its name; of a route also its place")),
                responses((status = OK, body = Object, headers(("ETag" = String))),
                    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
            pub async fn get(
                State(clerk): State<Arc<Clerk>>,
                Name(name): Name,
                headers: HeaderMap,
            ) -> Result<Response, Problem> {
                one(&clerk, Kind::$kind, name, &headers).await
            }

            /// Lets one say this and nothing else, and makes it if it is not there. One that is there
            /// wants `If-Match`. `***` stands for a secret that is there.
            #[utoipa::path(put, path = $one, operation_id = $put, tag = $tag,
                params(("name" = String, Path, description = "Its name; of a route also its place"),
                    ("If-Match" = Option<String>, Header, description = "The `ETag` that is known"),
                    $place),
                request_body = Object,
                responses((status = OK, body = EditedView), (status = CREATED, body = EditedView),
                    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
            pub async fn put(
                State(clerk): State<Arc<Clerk>>,
                Name(name): Name,
                headers: HeaderMap,
                Asked(place): Asked<$place>,
                Written(says): Written<Map<String, Value>>,
            ) -> Result<Response, Problem> {
                changed(&clerk, (Kind::$kind, name), Act::Put(says), (&headers, place)).await
            }

            /// Lets one say this, too; a `null` takes a key away (RFC 7396). It wants `If-Match`.
            #[utoipa::path(patch, path = $one, operation_id = $patch, tag = $tag,
                params(("name" = String, Path, description = "Its name; of a route also its place"),
                    ("If-Match" = String, Header, description = "The `ETag` that is known"), How),
                request_body = Object, responses((status = OK, body = EditedView),
                    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
            pub async fn patch(
                State(clerk): State<Arc<Clerk>>,
                Name(name): Name,
                headers: HeaderMap,
                Asked(how): Asked<How>,
                Written(says): Written<Map<String, Value>>,
            ) -> Result<Response, Problem> {
                changed(&clerk, (Kind::$kind, name), Act::Merge(says), (&headers, how)).await
            }

            /// Takes one out of the files, with the remark right above it. It wants `If-Match`.
            #[utoipa::path(delete, path = $one, operation_id = $delete, tag = $tag,
                params(("name" = String, Path, description = "Its name; of a route also its place"),
                    ("If-Match" = String, Header, description = "The `ETag` that is known"), How),
                responses((status = OK, body = EditedView),
                    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
            pub async fn delete(
                State(clerk): State<Arc<Clerk>>,
                Name(name): Name,
                headers: HeaderMap,
                Asked(how): Asked<How>,
            ) -> Result<Response, Problem> {
                changed(&clerk, (Kind::$kind, name), Act::Remove, (&headers, how)).await
            }
        }
    };
}

things!(
    agents,
    Agents,
    How,
    "/v1/agents",
    "/v1/agents/{name}",
    "agents",
    ["agents.list", "agents.get", "agents.put", "agents.patch", "agents.delete"]
);
things!(
    squads,
    Squads,
    How,
    "/v1/squads",
    "/v1/squads/{name}",
    "squads",
    ["squads.list", "squads.get", "squads.put", "squads.patch", "squads.delete"]
);
things!(
    flows,
    Flows,
    How,
    "/v1/flows",
    "/v1/flows/{name}",
    "flows",
    ["flows.list", "flows.get", "flows.put", "flows.patch", "flows.delete"]
);
things!(
    tools,
    Tools,
    How,
    "/v1/tools",
    "/v1/tools/{name}",
    "tools",
    ["tools.list", "tools.get", "tools.put", "tools.patch", "tools.delete"]
);
things!(
    routes,
    Routes,
    Where,
    "/v1/routes",
    "/v1/routes/{name}",
    "routes",
    ["routes.list", "routes.get", "routes.put", "routes.patch", "routes.delete"]
);
things!(
    menus,
    Menus,
    How,
    "/v1/menus",
    "/v1/menus/{name}",
    "menus",
    ["menus.list", "menus.get", "menus.put", "menus.patch", "menus.delete"]
);
things!(
    hours,
    Hours,
    How,
    "/v1/hours",
    "/v1/hours/{name}",
    "hours",
    ["hours.list", "hours.get", "hours.put", "hours.patch", "hours.delete"]
);
things!(
    lists,
    Lists,
    How,
    "/v1/lists",
    "/v1/lists/{name}",
    "lists",
    ["lists.list", "lists.get", "lists.put", "lists.patch", "lists.delete"]
);
things!(
    queues,
    Queues,
    How,
    "/v1/config/queues",
    "/v1/config/queues/{name}",
    "config",
    [
        "config.queues.list",
        "config.queues.get",
        "config.queues.put",
        "config.queues.patch",
        "config.queues.delete"
    ]
);
things!(
    trunks,
    Trunks,
    How,
    "/v1/config/trunks",
    "/v1/config/trunks/{name}",
    "config",
    [
        "config.trunks.list",
        "config.trunks.get",
        "config.trunks.put",
        "config.trunks.patch",
        "config.trunks.delete"
    ]
);
things!(
    phones,
    Phones,
    How,
    "/v1/config/phones",
    "/v1/config/phones/{name}",
    "config",
    [
        "config.phones.list",
        "config.phones.get",
        "config.phones.put",
        "config.phones.patch",
        "config.phones.delete"
    ]
);

things!(
    providers,
    Providers,
    How,
    "/v1/providers",
    "/v1/providers/{name}",
    "providers",
    ["providers.list", "providers.get", "providers.put", "providers.patch", "providers.delete"]
);
things!(
    webhooks,
    Webhooks,
    How,
    "/v1/config/webhooks",
    "/v1/config/webhooks/{name}",
    "config",
    [
        "config.webhooks.list",
        "config.webhooks.get",
        "config.webhooks.put",
        "config.webhooks.patch",
        "config.webhooks.delete"
    ]
);
things!(
    campaigns,
    Campaigns,
    How,
    "/v1/config/campaigns",
    "/v1/config/campaigns/{name}",
    "config",
    [
        "config.campaigns.list",
        "config.campaigns.get",
        "config.campaigns.put",
        "config.campaigns.patch",
        "config.campaigns.delete"
    ]
);
things!(
    schedules,
    Schedules,
    How,
    "/v1/config/schedules",
    "/v1/config/schedules/{name}",
    "config",
    [
        "config.schedules.list",
        "config.schedules.get",
        "config.schedules.put",
        "config.schedules.patch",
        "config.schedules.delete"
    ]
);
things!(
    tenants,
    Tenants,
    How,
    "/v1/tenants",
    "/v1/tenants/{name}",
    "tenants",
    ["tenants.list", "tenants.get", "tenants.put", "tenants.patch", "tenants.delete"]
);

async fn all(clerk: &Clerk, kind: Kind) -> Result<Json<List<ThingView>>, Problem> {
    let data = in_time(clerk.looked(kind, None)).await?;
    Ok(Json(List { data }))
}

async fn one(
    clerk: &Clerk,
    kind: Kind,
    name: String,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let found = in_time(clerk.looked(kind, Some(name))).await?;
    let unknown = || Problem::new(Code::NotFound, "there is no such thing in the files");
    let thing = found.into_iter().next().ok_or_else(unknown)?;
    let known = tags(headers, header::IF_NONE_MATCH)?;
    let is_known = known.iter().any(|it| it == "*" || *it == thing.etag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(&thing.settings).into_response()
    };
    tag(&mut response, &thing);
    Ok(response)
}

async fn changed(
    clerk: &Clerk,
    (kind, name): (Kind, String),
    act: Act,
    (headers, place): (&HeaderMap, impl Into<Where>),
) -> Result<Response, Problem> {
    let Where { dry_run, before } = place.into();
    let condition = condition(headers)?;
    let wish = Wish { kind, name, act, condition, before };
    let view = in_time(clerk.edited(wish, dry_run)).await?;
    let is_new = view.created && !view.dry;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(&view)).into_response();
    if let Some(thing) = &view.thing {
        tag(&mut response, thing);
    }
    let (before, after) = (view.said.as_ref(), view.thing.as_ref().map(|it| &it.settings));
    let told = |value: Option<&Value>| value.map(|it| sum(&it.to_string()));
    let sums = Sums { on: None, before: told(before), after: told(after) };
    response.extensions_mut().insert(sums);
    Ok(response)
}

/// What stands under which condition (RFC 9110 13.1).
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let (matched, none) = (tags(headers, header::IF_MATCH)?, tags(headers, header::IF_NONE_MATCH)?);
    Ok(match (matched.as_slice(), none.as_slice()) {
        ([], []) => Condition::Unsaid,
        ([], [any]) if any == "*" => Condition::New,
        ([any], []) if any == "*" => Condition::There,
        (_, []) => Condition::Tagged(matched),
        (_, _) => {
            let why = "say `If-Match` with a tag, or `If-None-Match: *` for what is to be new";
            return Err(Problem::new(Code::Validation, why));
        }
    })
}

/// The tags of a header, without their quotes. Weak ones are no tags of ours.
fn tags(headers: &HeaderMap, name: header::HeaderName) -> Result<Vec<String>, Problem> {
    let mut tags = Vec::new();
    for value in headers.get_all(&name) {
        let unreadable = |_| Problem::new(Code::Validation, format!("`{name}` cannot be read"));
        let text = value.to_str().map_err(unreadable)?;
        tags.extend(
            text.split(',').take(MOST_TAGS).map(|tag| tag.trim().trim_matches('"').to_owned()),
        );
    }
    Ok(tags)
}

fn tag(response: &mut Response, thing: &ThingView) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", thing.etag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// Waits for those who read the files, as long as that may take.
///
/// # Errors
/// When it takes longer, or they refuse.
pub async fn in_time<T>(work: impl Future<Output = Result<T, Rejected>>) -> Result<T, Problem> {
    let most = patience(&Ask::Reload(Reload { dry: false }));
    timeout(most, work).await.map_err(|_| late())?.map_err(Problem::from)
}

/// How many tags are read.
const MOST_TAGS: usize = 16;
