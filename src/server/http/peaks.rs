//! `GET /v1/calls/{id}/recording/peaks`: the outline of a recording, to be drawn beside a transcript,
//! as `audiowaveform` writes it and wavesurfer.js and Peaks.js read it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};

use crate::audio::library::Libraries;
use crate::base::id::CallId;
use crate::engine::recorder::peaks::{self, NoPeaks, Peaks};
use crate::engine::recorder::sidecar::Sidecar;
use crate::server::codecs;
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::problem::{Code, Problem};
use crate::server::http::recordings::{Shelf, closed, gone};
use crate::server::http::sound::opened;

/// Draws recordings, a few at once, and remembers the last outlines. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Outlines {
    shelf: Shelf,
    libraries: Libraries,
    pencils: Arc<Semaphore>,
    /// Those that were asked for last, by their tags.
    drawn: Arc<Mutex<VecDeque<(String, Bytes)>>>,
}

/// How fine the outline is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HowFine {
    /// At how many points it is drawn, at most: 1 to 10000, usually 1000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 10_000)]
    points: Option<String>,
}

/// An outline, in version 2 of the form of `audiowaveform`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeaksView {
    /// Of the form: 2.
    version: u8,
    /// How many sides there are: the caller, and then the other.
    channels: u16,
    /// The samples a second of each side.
    sample_rate: u32,
    /// How many samples of each side a point stands for.
    samples_per_pixel: u64,
    /// Of each value: 8.
    bits: u8,
    /// How many points there are.
    length: usize,
    /// Of each point the lowest and the highest value of each side, from -128 to 127.
    data: Vec<i8>,
}

impl Outlines {
    /// Draws what stands on a shelf.
    pub fn new(shelf: Shelf) -> Self {
        let pencils = Arc::new(Semaphore::new(AT_ONCE));
        Self { shelf, libraries: codecs::libraries(), pencils, drawn: Arc::default() }
    }

    fn remembered(&self, tag: &str) -> Option<Bytes> {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.iter().find(|(known, _)| known == tag).map(|(_, text)| text.clone())
    }

    fn remember(&self, tag: &str, text: &Bytes) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.retain(|(known, _)| known != tag);
        drawn.truncate(REMEMBERED - 1);
        drawn.push_front((tag.to_owned(), text.clone()));
    }

    /// Draws one. Whoever does not wait for it any more costs nothing more.
    async fn draw(&self, (call, note): (CallId, Sidecar), points: u32) -> Result<Bytes, Problem> {
        let busy = || Problem::new(Code::Unavailable, "too many recordings are being drawn");
        let pencil = timeout(PATIENCE, self.pencils.clone().acquire_owned()).await;
        let pencil = pencil.map_err(|_| busy())?.map_err(|_| busy())?;
        let (is_unwanted, libraries) = (CancellationToken::new(), self.libraries.clone());
        let _wanted = is_unwanted.clone().drop_guard();
        let drawing = tokio::task::spawn_blocking(move || {
            let _pencil = pencil;
            // What was deleted meanwhile is wanted no more, whoever waits.
            let (file, _) = opened(&note.recording()).ok_or(NoPeaks::Unwanted)?;
            let wanted = || !is_unwanted.is_cancelled();
            peaks::draw(file, (note.is_wav(), points), &libraries, wanted)
        });
        let strange = || Problem::new(Code::Internal, "the recording cannot be drawn: see the log");
        match drawing.await.map_err(|_| strange())? {
            Ok(peaks) => {
                let text = serde_json::to_vec(&PeaksView::from(peaks)).map_err(|_| strange())?;
                Ok(text.into())
            }
            Err(NoPeaks::Unwanted) => Err(gone()),
            Err(why) => {
                tracing::error!(%call, %why, "a recording cannot be drawn");
                Err(strange())
            }
        }
    }
}

impl From<Peaks> for PeaksView {
    fn from(Peaks { rate, channels, per_point, data }: Peaks) -> Self {
        let length = data.len() / (usize::from(channels) * 2).max(1);
        Self {
            version: 2,
            channels,
            sample_rate: rate,
            samples_per_pixel: per_point,
            bits: 8,
            length,
            data,
        }
    }
}

/// The outline of the recording of a call that ended: the lowest and the highest value of each side
/// at so many points, as `audiowaveform` writes it.
#[utoipa::path(get, path = "/v1/calls/{id}/recording/peaks", operation_id = "calls.peaks",
    tag = "calls", params(("id" = String, Path, description = "The call"), HowFine,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that is known")),
    responses((status = OK, body = PeaksView, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "It is the one that is known"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(outlines): State<Outlines>,
    OfCall(call): OfCall,
    Asked(how): Asked<HowFine>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let points = how.points.as_deref().map_or(Some(USUAL), |text| text.parse().ok());
    let points = points.filter(|points| (1..=MOST).contains(points));
    let points = points.ok_or_else(|| Problem::parameter("points", "a number from 1 to 10000"))?;
    let Shelf(root) = outlines.shelf.clone();
    let finding = tokio::task::spawn_blocking(move || closed(&root, call));
    let note = finding.await.map_err(|_| gone())??;
    // Without a sum nobody knows which state of it this is.
    let tag = note.sha256.as_ref().map(|sum| format!("\"{sum}-{points}\""));
    if tag.as_ref().is_some_and(|tag| is_known(&headers, tag)) {
        return answer(StatusCode::NOT_MODIFIED, tag.as_deref(), Bytes::new());
    }
    let remembered = tag.as_ref().and_then(|tag| outlines.remembered(tag));
    let text = match remembered {
        Some(text) => text,
        None => {
            let text = outlines.draw((call, note), points).await?;
            tag.iter().for_each(|tag| outlines.remember(tag, &text));
            text
        }
    };
    answer(StatusCode::OK, tag.as_deref(), text)
}

/// Whether one of the tags that are known is this one (RFC 9110 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    tags.any(|it| ["*", tag].contains(&it.trim().trim_start_matches("W/")))
}

fn answer(status: StatusCode, tag: Option<&str>, text: Bytes) -> Result<Response<Body>, Problem> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::OK {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(tag) = tag {
        let tag = HeaderValue::from_str(tag);
        let tag = tag.map_err(|_| Problem::new(Code::Internal, "its sum is none"))?;
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// How many points there are when nobody says it, and at most.
const USUAL: u32 = 1_000;
const MOST: u32 = 10_000;

/// How many recordings are drawn at once: each keeps a core busy.
const AT_ONCE: usize = 2;

/// How long whoever asks waits for others.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many outlines are remembered, of 200 kB at most.
const REMEMBERED: usize = 64;
