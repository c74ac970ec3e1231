//! `voxtrunk serve`: takes calls until it is told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::agent::masking::kind::Masks;
use crate::config::observing::{Log, LogFormat};
use crate::server::assembly::{self, Show};
use crate::server::discreet::Discreet;
use crate::server::hep;
use crate::server::otel;
use crate::server::reload::Reloader;
use crate::server::running::Running;

/// Serves with the settings of a file.
pub fn run(config: &Path) -> ExitCode {
    let loaded = match assembly::load(config, Show::Everything) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let server = loaded.server.clone();
    log(&server.log, server.security.privacy.mask_in_logs.iter().copied().collect());
    let serving = async {
        let mut blueprint = assembly::blueprint(&loaded).await.map_err(|why| why.to_string())?;
        let collector = loaded.server.hep.as_ref().and_then(assembly::collector);
        let (orders, ordered) = mpsc::channel(ORDERS);
        blueprint.control.reloads = Some(orders);
        let (playbill, board) = (blueprint.playbill.clone(), blueprint.board.clone());
        let mut running = Running::start(blueprint).map_err(|why| why.to_string())?;
        for (transport, address) in running.sockets().iter() {
            tracing::info!(%transport, %address, "listening");
        }
        let keeper = (board, running.holders());
        let reloader = Reloader::new(config.to_owned(), (loaded, playbill), keeper, ordered);
        running.works_beside(|stop| reloader.run(stop));
        if let Some(collector) = collector {
            let sip = running.sip();
            running.works_beside(|stop| hep::run(sip, collector, stop));
        }
        if let Some(settings) = &server.otel {
            let teller = otel::teller::Teller::new(settings, &server, &running)?;
            running.works_beside(|stop| teller.run(stop));
        }
        tracing::info!(sip = %running.local(), "ready for calls");
        stopped().await;
        tracing::info!(calls = running.active(), "stopping: no new calls, running ones may end");
        running.drain(DRAIN).await;
        Ok(())
    };
    finish(block_on(serving))
}

/// Runs a future to its end on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("the machine gives threads and an epoll").block_on(future)
}

/// Waits for SIGTERM or Ctrl-C.
pub async fn stopped() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Says what went wrong, if something did.
pub fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("voxtrunk: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Sets up the log, without what nobody may keep: `RUST_LOG` goes before the settings.
pub fn log(settings: &Log, masks: Masks) {
    use std::io::IsTerminal;
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| settings.level.clone());
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let pretty = match settings.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Discreet::new(masks));
    // A log that somebody else set up before (a test) is as good.
    if pretty {
        builder.try_init().ok();
    } else {
        builder.json().try_init().ok();
    }
}

/// How many orders to read the files again may wait.
const ORDERS: usize = 4;

/// How long running calls may go on after the order to stop.
const DRAIN: Duration = Duration::from_secs(30);
