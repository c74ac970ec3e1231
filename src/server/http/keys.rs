//! `/v1/keys`: who may ask, made and taken back by those who may change how the server works. No key
//! gives more than its maker has, nor for longer.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::secret::ExposeSecret;
use crate::base::units::parse_duration;
use crate::engine::clock;
use crate::server::control::times::timestamp;
use crate::server::control::view::List;
use crate::server::http::asked::{Name, Told};
use crate::server::http::gate::Bearer;
use crate::server::http::problem::{Code, Problem};
use crate::store::api_keys::{ApiKey, ApiKeys, ApiKeysError, Order, Scope};
use crate::store::key_uses::KeyUses;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyView {
    /// What it is called in lists and logs.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// What it may do: `read`, `operate` or `admin`.
    pub scope: &'static str,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// From when on it is not valid any more; nothing when it is valid until it is taken back.
    pub expires_at: Option<String>,
    /// Whether it is valid now.
    pub valid: bool,
    /// How often it may be used on a day (in UTC); nothing when that is not limited.
    pub requests_per_day: Option<u64>,
    /// How often it was used on the day that it is (in UTC).
    pub requests_today: u64,
    /// How often it was used in all.
    pub requests_total: u64,
    /// When it was used last (RFC 3339).
    pub last_used_at: Option<String>,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MadeView {
    /// What is known of it.
    #[serde(flatten)]
    pub known: KeyView,
    /// The key itself, which is shown only now.
    pub key: String,
}

/// A key that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Who is to have it.
    name: String,
    /// What it may do.
    #[serde(default)]
    scope: Reach,
    /// How long it is valid, such as `30d`; without it, as long as the key that makes it.
    #[serde(default)]
    expires_in: Option<String>,
    /// How often it may be used on a day (in UTC); without it, as often as it likes.
    #[serde(default)]
    requests_per_day: Option<u64>,
}

/// What a key may do. Each may do what those before it may.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Look at everything.
    #[default]
    Read,
    /// Act upon calls and trunks.
    Operate,
    /// Change how the server works.
    Admin,
}

impl From<Reach> for Scope {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Read => Self::Read,
            Reach::Operate => Self::Operate,
            Reach::Admin => Self::Admin,
        }
    }
}

/// All keys, the oldest first: what each may do, since when and until when.
#[utoipa::path(get, path = "/v1/keys", operation_id = "keys.list", tag = "keys",
    responses((status = OK, body = List<KeyView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(Extension(bearer): Extension<Bearer>) -> Result<Json<List<KeyView>>, Problem> {
    let keys = beside(bearer.keys(), |keys| keys.all()).await?;
    let uses = bearer.uses();
    Ok(Json(List { data: keys.iter().map(|key| view(key, &uses)).collect() }))
}

/// Makes a key, which is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/keys", operation_id = "keys.create", tag = "keys",
    request_body = NewKey, responses((status = CREATED, body = MadeView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    Extension(bearer): Extension<Bearer>,
    Told(wanted): Told<NewKey>,
) -> Result<Response, Problem> {
    let scope = Scope::from(wanted.scope);
    if scope > bearer.scope() {
        return Err(Problem::new(Code::Forbidden, "no key gives more than its maker has"));
    }
    if bearer.daily().is_some() {
        let why = "a key that may be used so often on a day makes no others";
        return Err(Problem::new(Code::Forbidden, why));
    }
    let daily = wanted.requests_per_day;
    if daily == Some(0) {
        return Err(Problem::pointer("/requests_per_day".to_owned(), "write 1 or more"));
    }
    let no_time = || Problem::pointer("/expires_in".to_owned(), "write it as `30d`");
    let lasts = wanted.expires_in.as_deref().map(parse_duration).transpose();
    let lasts = lasts.map_err(|_| no_time())?;
    let now = clock::since_epoch();
    let left = bearer.expires().map(|at| Duration::from_secs(at).saturating_sub(now));
    let lasts = match (lasts, left) {
        (Some(lasts), Some(left)) if lasts > left => {
            let why = "no key is valid for longer than that of its maker";
            return Err(Problem::pointer("/expires_in".to_owned(), why));
        }
        (lasts, left) => lasts.or(left),
    };
    let name = wanted.name;
    let (made, key) = beside(bearer.keys(), move |keys| {
        keys.create(&Order { name: &name, scope, lasts, daily }, now, &mut clock::random())
    })
    .await?;
    tracing::info!(by = bearer.id(), key = made.id, scope = scope.name(), "a key was made");
    let known = view(&made, &bearer.uses());
    let place = HeaderValue::from_str(&format!("/v1/keys/{}", made.id));
    let body = MadeView { known, key: key.expose_secret().to_owned() };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Takes a key back, at once.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "keys.revoke", tag = "keys",
    params(("key" = String, Path, description = "Its identity")),
    responses((status = OK, body = KeyView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn revoke(
    Extension(bearer): Extension<Bearer>,
    Name(id): Name,
) -> Result<Json<KeyView>, Problem> {
    // A name may be that of several.
    if !id.starts_with("key_") {
        return Err(Problem::new(Code::NotFound, "there is no such key: name it by its identity"));
    }
    let gone = beside(bearer.keys(), move |keys| keys.revoke(&id)).await?;
    tracing::info!(by = bearer.id(), key = gone.id, "a key was taken back");
    Ok(Json(KeyView { valid: false, ..view(&gone, &bearer.uses()) }))
}

fn view(key: &ApiKey, uses: &KeyUses) -> KeyView {
    let at = |seconds| timestamp(Duration::from_secs(seconds));
    let (used, now) = (uses.of(&key.id), clock::since_epoch());
    KeyView {
        id: key.id.clone(),
        name: key.name.clone(),
        scope: key.scope.name(),
        created_at: at(key.created),
        expires_at: key.expires.map(at),
        valid: key.is_valid(now),
        requests_per_day: key.daily,
        requests_today: used.map_or(0, |it| it.today_at(now)),
        requests_total: used.map_or(0, |it| it.total),
        last_used_at: used.map(|it| at(it.last)),
    }
}

async fn beside<T: Send + 'static>(
    keys: ApiKeys,
    work: impl FnOnce(&ApiKeys) -> Result<T, ApiKeysError> + Send + 'static,
) -> Result<T, Problem> {
    let unreadable = || Problem::new(Code::Internal, "the keys cannot be read: the log says why");
    let done = tokio::task::spawn_blocking(move || work(&keys)).await.map_err(|_| unreadable())?;
    done.map_err(|why| match why {
        ApiKeysError::Name => Problem::pointer("/name".to_owned(), why.to_string()),
        ApiKeysError::Full => Problem::new(Code::Conflict, why.to_string()),
        ApiKeysError::Unknown(_) | ApiKeysError::Ambiguous(_) => {
            Problem::new(Code::NotFound, "there is no such key")
        }
        ApiKeysError::Disk { .. } | ApiKeysError::Foreign { .. } | ApiKeysError::Open(_) => {
            tracing::error!(%why, "the keys cannot be read or written");
            unreadable()
        }
    })
}
