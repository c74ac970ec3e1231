//! `GET /v1/calls/{id}/recording`: the file of a recorded call, or a part of it.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};

use crate::base::id::CallId;
use crate::engine::recorder::shelf;
use crate::engine::recorder::sidecar::{Sidecar, State as Stand};
use crate::server::http::asked::OfCall;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::sound::{Octets, Sound};

/// Where recordings are.
#[derive(Debug, Clone)]
pub struct Shelf(pub PathBuf);

/// The recording of a call that ended.
#[utoipa::path(get, path = "/v1/calls/{id}/recording", operation_id = "calls.recording",
    tag = "calls", params(("id" = String, Path, description = "The call"),
        ("Range" = Option<String>, Header, description = "A part of it, as RFC 9110 has it")),
    responses((status = OK, content((Octets = "audio/wav"), (Octets = "audio/ogg"))),
        (status = PARTIAL_CONTENT, content((Octets = "audio/wav"), (Octets = "audio/ogg"))),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(Shelf(root)): State<Shelf>,
    OfCall(call): OfCall,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let opening = tokio::task::spawn_blocking(move || open(&root, call)).await;
    opening.map_err(|_| gone())??.served(&headers)
}

/// Opens the recording of a call: the file that its note names, and no other.
fn open(root: &Path, call: CallId) -> Result<Sound, Problem> {
    let note = closed(root, call)?;
    let tag = note.sha256.as_ref().map(|sum| format!("\"{sum}\""));
    Sound::open(&note.recording(), tag).ok_or_else(gone)
}

/// The note of the recording of a call, of which all is written and can be read.
///
/// # Errors
/// When there is none, or it is sealed, or being written.
pub fn closed(root: &Path, call: CallId) -> Result<Sidecar, Problem> {
    let note = format!("{call}.json");
    let places = [shelf::folder_of(root, call), root.to_owned()];
    let found = places.iter().find_map(|folder| Sidecar::read(&folder.join(&note)));
    let note = found.ok_or_else(gone)?;
    if note.is_sealed() {
        let how = "it is sealed: `voxtrunk recording decrypt` opens it with its key";
        return Err(Problem::new(Code::Sealed, how));
    }
    if note.state == Stand::Open {
        return Err(Problem::new(Code::Conflict, "it is being written"));
    }
    Ok(note)
}

/// That there is no recording here.
pub fn gone() -> Problem {
    let why = "there is no recording of this call here: it was not recorded, is kept in a bucket, \
               or was kept long enough";
    Problem::new(Code::NotFound, why)
}
