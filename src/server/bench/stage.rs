//! The stage of the benchmarks: a running demo server, phones, and processor time.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::gauges::Gauges;
use crate::engine::media_shard::{MediaHandle, MediaShard};
use crate::engine::phone::Phone;
use crate::engine::recorder::Recorder;
use crate::providers::tts::flite::{self, Flite};
use crate::providers::vad::registry as vad;
use crate::server::assembly::{self, Show};
use crate::server::running::Running;

/// Starts the demo's server on a free port of the loopback, with its records in a folder that the
/// system cleans up.
pub async fn server(ports: std::ops::RangeInclusive<u16>) -> Result<Running, String> {
    let loaded = assembly::load(Path::new("conf/demo.toml"), Show::Errors)
        .map_err(|_| "the demo's configuration does not load; run this at the top of the clone")?;
    let mut blueprint = assembly::blueprint(&loaded).await.map_err(|why| why.to_string())?;
    blueprint.sip.listen.iter_mut().for_each(|listen| listen.bind.set_port(0));
    blueprint.rtp.1 = ports;
    let folder = std::env::temp_dir().join(format!("voxtrunk-bench-{}", std::process::id()));
    blueprint.folders.calls = folder.join("calls");
    blueprint.folders.recordings = folder.join("recordings");
    Running::start(blueprint).map_err(|why| why.to_string())
}

/// A media shard for phones, apart from the server's.
pub fn phone_media() -> Result<(MediaHandle, Recorder), String> {
    let detector = vad::open(vad::Kind::Kernel, Path::new("models/silero_vad.onnx"));
    let detector = detector.map_err(|why| why.to_string())?;
    let thread = |why: std::io::Error| why.to_string();
    let media = MediaShard::start(detector, Arc::new(Gauges::default())).map_err(thread)?;
    Ok((media, Recorder::start().map_err(thread)?))
}

/// A phone that may call whoever is at `address`.
pub fn phone(address: IpAddr, media: &(MediaHandle, Recorder)) -> Result<Phone, String> {
    let peer = address.to_string().parse().map_err(|_| "no address".to_owned())?;
    let (media, recorder) = media.clone();
    Phone::new(address, vec![peer], media, recorder).map_err(|why| why.to_string())
}

/// The voice of the callers.
pub fn voice() -> Result<Flite, String> {
    let settings = flite::Settings { voice: "rms".to_owned(), ..flite::Settings::default() };
    Flite::load(settings).map_err(|why| why.to_string())
}

/// The processor time of this thread.
pub fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The least processor time of one `work`, out of several batches: what the work costs when
/// nobody disturbs.
pub fn cost(batch: u32, mut work: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..20 {
        let before = thread_time();
        for _ in 0..batch {
            work();
        }
        least = least.min(thread_time().saturating_sub(before) / batch);
    }
    least
}
