//! `/v1/voicemails`: the messages that callers left, with their sound.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::engine::voicemail::note::{Job, Note, State as Stand};
use crate::engine::voicemail::shelf::Shelf;
use crate::server::control::view::{List, PartyView};
use crate::server::http::asked::{Asked, Name, Told};
use crate::server::http::problem::{Code, Problem};
use crate::server::http::sound::{Octets, Sound};

/// Where messages are.
#[derive(Debug, Clone)]
pub struct Messages(pub Shelf);

/// Which messages are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Those in this voicemail.
    #[serde(rename = "box")]
    mailbox: Option<String>,
    /// Only those that nobody has looked at, or only the others.
    read: Option<bool>,
}

/// A message that a caller left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VoicemailView {
    /// Its identity.
    pub id: String,
    /// The voicemail.
    #[serde(rename = "box")]
    pub mailbox: String,
    /// The call in which it was left.
    pub call_id: String,
    /// Who left it. Personal data.
    pub from: PartyView,
    /// Whose call it was.
    pub tenant: Option<String>,
    /// When (RFC 3339).
    pub at: String,
    /// `open` while the caller speaks, `complete`, or `interrupted` where the server was killed.
    pub state: &'static str,
    /// How long it is.
    pub duration_ms: Option<u64>,
    /// Whether somebody has looked at it.
    pub read: bool,
    /// What was said, once it is written down. Personal data.
    pub transcript: Option<String>,
    /// Whether it is written down: `none`, `pending`, `done` or `failed`.
    pub transcription: &'static str,
    /// Whether it is sent by mail: `none`, `pending`, `done` or `failed`.
    pub mail: &'static str,
}

/// What is to be noted of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Whether somebody has looked at it. Lamps of phones go by it.
    read: bool,
}

/// The messages, the oldest first of each voicemail.
#[utoipa::path(get, path = "/v1/voicemails", operation_id = "voicemails.list", tag = "voicemails",
    params(Which), responses((status = OK, body = List<VoicemailView>)))]
pub async fn list(
    State(Messages(shelf)): State<Messages>,
    Asked(Which { mailbox, read }): Asked<Which>,
) -> Result<Json<List<VoicemailView>>, Problem> {
    let notes = beside(move || Ok(shelf.notes(mailbox.as_deref()))).await?;
    let wanted = notes.iter().filter(|note| read.is_none_or(|read| note.read == read));
    Ok(Json(List { data: wanted.map(view).collect() }))
}

/// One of them. To look at it so does not make it read.
#[utoipa::path(get, path = "/v1/voicemails/{id}", operation_id = "voicemails.get",
    tag = "voicemails", params(("id" = String, Path, description = "The message, or its call")),
    responses((status = OK, body = VoicemailView)))]
pub async fn get(
    State(Messages(shelf)): State<Messages>,
    Name(id): Name,
) -> Result<Json<VoicemailView>, Problem> {
    beside(move || found(&shelf, &id).map(|note| view(&note))).await.map(Json)
}

/// Its sound.
#[utoipa::path(get, path = "/v1/voicemails/{id}/sound", operation_id = "voicemails.sound",
    tag = "voicemails", params(("id" = String, Path, description = "The message, or its call"),
        ("Range" = Option<String>, Header, description = "A part of it, as RFC 9110 has it")),
    responses((status = OK, content((Octets = "audio/wav"), (Octets = "audio/ogg"))),
        (status = PARTIAL_CONTENT, content((Octets = "audio/wav"), (Octets = "audio/ogg")))))]
pub async fn sound(
    State(Messages(shelf)): State<Messages>,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let opened = beside(move || {
        let note = found(&shelf, &id)?;
        if note.is_sealed() {
            let how = "it is sealed: `voxtrunk recording decrypt` opens it with its key";
            return Err(Problem::new(Code::Sealed, how));
        }
        if note.state == Stand::Open {
            return Err(Problem::new(Code::Conflict, "it is being left"));
        }
        Sound::open(&shelf.sound(&note), Some(format!("\"{}\"", note.id))).ok_or_else(gone)
    });
    opened.await?.served(&headers)
}

/// Notes that somebody has looked at one, or has not.
#[utoipa::path(patch, path = "/v1/voicemails/{id}", operation_id = "voicemails.mark",
    tag = "voicemails", params(("id" = String, Path, description = "The message, or its call")),
    request_body = Mark, responses((status = OK, body = VoicemailView)))]
pub async fn mark(
    State(Messages(shelf)): State<Messages>,
    Name(id): Name,
    Told(Mark { read }): Told<Mark>,
) -> Result<Json<VoicemailView>, Problem> {
    let marked = beside(move || {
        let note = found(&shelf, &id)?;
        let changed = shelf.change(&note, |note| note.read = read).map_err(|why| failed(&why))?;
        changed.as_ref().map(view).ok_or_else(gone)
    });
    marked.await.map(Json)
}

/// Deletes one, with its sound.
#[utoipa::path(delete, path = "/v1/voicemails/{id}", operation_id = "voicemails.delete",
    tag = "voicemails", params(("id" = String, Path, description = "The message, or its call")),
    responses((status = OK, body = VoicemailView)))]
pub async fn delete(
    State(Messages(shelf)): State<Messages>,
    Name(id): Name,
) -> Result<Json<VoicemailView>, Problem> {
    let deleted = beside(move || {
        let note = found(&shelf, &id)?;
        if note.state == Stand::Open {
            return Err(Problem::new(Code::Conflict, "it is being left"));
        }
        shelf.delete(&note).map_err(|why| failed(&why))?;
        tracing::info!(message = note.id, "a message was deleted");
        Ok(view(&note))
    });
    deleted.await.map(Json)
}

/// Does what reads the disk where it keeps nobody waiting.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::new(Code::Internal, "the messages cannot be read"))?
}

fn found(shelf: &Shelf, id: &str) -> Result<Note, Problem> {
    shelf.find(id).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::new(Code::NotFound, "there is no such message")
}

fn failed(why: &std::io::Error) -> Problem {
    tracing::error!(%why, "a message cannot be changed");
    Problem::new(Code::Internal, "the message cannot be changed: the log says why")
}

fn view(note: &Note) -> VoicemailView {
    VoicemailView {
        id: note.id.clone(),
        mailbox: note.mailbox.clone(),
        call_id: note.call.clone(),
        from: PartyView { number: note.from.clone(), name: note.name.clone() },
        tenant: Some(note.tenant.clone()).filter(|tenant| !tenant.is_empty()),
        at: note.at.clone(),
        state: match note.state {
            Stand::Open => "open",
            Stand::Complete => "complete",
            Stand::Interrupted => "interrupted",
        },
        duration_ms: note.duration_ms,
        read: note.read,
        transcript: note.transcript.clone(),
        transcription: standing(&note.transcription),
        mail: standing(&note.mail),
    }
}

fn standing(job: &Job) -> &'static str {
    match job {
        Job::None => "none",
        Job::Pending { .. } => "pending",
        Job::Done => "done",
        Job::Failed { .. } => "failed",
    }
}
