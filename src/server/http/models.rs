//! `GET /v1/models`: the models for engines of this machine, and which of them are here.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::providers::models::catalogue::{self, Model, State as Stand};
use crate::server::control::view::List;
use crate::server::http::problem::{Code, Problem};

/// Where models lie.
#[derive(Debug, Clone)]
pub struct Models(pub PathBuf);

/// A model that `voxtrunk models pull` brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelView {
    /// Its name.
    pub name: &'static str,
    /// What it is for: `stt`, `tts` and the like.
    pub job: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// Where it comes from.
    pub from: &'static str,
    /// `there`, `begun` or `missing`.
    pub state: &'static str,
    /// How much of it is here, in hundredths.
    pub percent: u64,
    /// All its files together, in octets.
    pub size: u64,
}

/// The models for engines of this machine, and which of them are here.
#[utoipa::path(get, path = "/v1/models", operation_id = "models.list", tag = "server",
    responses((status = OK, body = List<ModelView>)))]
pub async fn list(State(Models(folder)): State<Models>) -> Result<Json<List<ModelView>>, Problem> {
    let looking = tokio::task::spawn_blocking(move || {
        catalogue::all().iter().map(|model| view(model, model.state(&folder))).collect()
    });
    let unread = |_| Problem::new(Code::Internal, "the folder of models cannot be read");
    looking.await.map(|data| Json(List { data })).map_err(unread)
}

fn view(model: &'static Model, stand: Stand) -> ModelView {
    let (state, percent) = match stand {
        Stand::There => ("there", 100),
        Stand::Begun(percent) => ("begun", percent.into()),
        Stand::Missing => ("missing", 0),
    };
    ModelView {
        name: &model.name,
        job: model.job.name(),
        about: &model.about,
        licence: &model.licence,
        from: &model.from,
        state,
        percent,
        size: model.size(),
    }
}
