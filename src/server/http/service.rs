//! What answers are made of: each resource takes the piece that it needs.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;

use crate::server::control::clerk::Clerk;
use crate::server::http::health::Readiness;
use crate::server::http::models::Models;
use crate::server::http::peaks::Outlines;
use crate::server::http::recordings::Shelf;
use crate::server::http::voicemails::Messages;
use crate::server::http::watching::Streams;
use crate::server::http::witness::Asking;
use crate::store::audit::Audit;
use crate::store::call_archive::CallArchive;

/// All the pieces.
#[derive(Debug, Clone)]
pub struct Service {
    clerk: Arc<Clerk>,
    archive: CallArchive,
    shelf: Shelf,
    outlines: Outlines,
    messages: Messages,
    models: Models,
    witness: Asking,
    readiness: Readiness,
    streams: Streams,
    audit: Audit,
}

/// When the server stops.
#[derive(Debug, Clone)]
pub struct Stops {
    /// No new calls are taken any more.
    pub wind_up: CancellationToken,
    /// Nobody is served any more.
    pub now: CancellationToken,
}

impl Service {
    /// Takes the clerk, what is kept on the disk, the witness and the chronicle, and the stops.
    pub fn new(
        clerk: Arc<Clerk>,
        (archive, shelf, messages, models): (CallArchive, Shelf, Messages, Models),
        (witness, audit): (Asking, Audit),
        stops: Stops,
    ) -> Self {
        let streams = Streams::new(clerk.clone(), witness.clone(), stops.now);
        let (readiness, outlines) = (Readiness(stops.wind_up), Outlines::new(shelf.clone()));
        Self {
            clerk,
            archive,
            shelf,
            outlines,
            messages,
            models,
            witness,
            readiness,
            streams,
            audit,
        }
    }
}

impl FromRef<Service> for Arc<Clerk> {
    fn from_ref(service: &Service) -> Self {
        service.clerk.clone()
    }
}

impl FromRef<Service> for CallArchive {
    fn from_ref(service: &Service) -> Self {
        service.archive.clone()
    }
}

impl FromRef<Service> for Shelf {
    fn from_ref(service: &Service) -> Self {
        service.shelf.clone()
    }
}

impl FromRef<Service> for Outlines {
    fn from_ref(service: &Service) -> Self {
        service.outlines.clone()
    }
}

impl FromRef<Service> for Messages {
    fn from_ref(service: &Service) -> Self {
        service.messages.clone()
    }
}

impl FromRef<Service> for Models {
    fn from_ref(service: &Service) -> Self {
        service.models.clone()
    }
}

impl FromRef<Service> for Asking {
    fn from_ref(service: &Service) -> Self {
        service.witness.clone()
    }
}

impl FromRef<Service> for Readiness {
    fn from_ref(service: &Service) -> Self {
        service.readiness.clone()
    }
}

impl FromRef<Service> for Streams {
    fn from_ref(service: &Service) -> Self {
        service.streams.clone()
    }
}

impl FromRef<Service> for (Streams, CallArchive) {
    fn from_ref(service: &Service) -> Self {
        (service.streams.clone(), service.archive.clone())
    }
}

impl FromRef<Service> for Audit {
    fn from_ref(service: &Service) -> Self {
        service.audit.clone()
    }
}
