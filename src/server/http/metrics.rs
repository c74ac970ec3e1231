//! `GET /metrics`: what the server counts, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::engine::clock;
use crate::server::control::clerk::Clerk;
use crate::server::control::view::{MessagesView, StatusView, TrunkView};
use crate::server::http::exposition::Exposition;
use crate::server::http::front::late;
use crate::server::http::health::Readiness;
use crate::server::http::problem::Problem;
use crate::server::http::witness::Asking;

/// What the server counts, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics.show", tag = "server",
    responses((status = OK, body = String, content_type = "text/plain; version=0.0.4")))]
pub async fn show(
    State(clerk): State<Arc<Clerk>>,
    State(witness): State<Asking>,
    State(readiness): State<Readiness>,
) -> Result<impl IntoResponse, Problem> {
    let (status, trunks) = (clerk.status().await?, clerk.trunks().await?);
    let tally = witness.tally().await.ok_or_else(late)?;
    let mut out = Exposition::default();
    server(&mut out, &status, readiness.is_draining());
    messages(&mut out, &status.sip.messages);
    lines(&mut out, &trunks);
    out.counter("voxtrunk_otel_spans_total", "Spans for the collector of traces.");
    for (result, count) in clerk.gauges.spans.counts() {
        out.sample(&[("result", result)], count as f64);
    }
    tally.write(&mut out);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out.text()))
}

fn server(out: &mut Exposition, status: &StatusView, is_draining: bool) {
    out.gauge("voxtrunk_build_info", "The version of the program.");
    out.sample(&[("version", &status.version)], 1.0);
    let began = clock::since_epoch().as_secs().saturating_sub(status.uptime_s);
    let (calls, sip, media) = (&status.calls, &status.sip, &status.media);
    let gauges = [
        ("process_start_time_seconds", "When the server began.", began as f64),
        ("voxtrunk_draining", "1 while no new calls are taken.", f64::from(u8::from(is_draining))),
        ("voxtrunk_calls_up", "Calls that are up.", calls.active as f64),
        ("voxtrunk_calls_most", "The most calls that may be up.", calls.most as f64),
        ("voxtrunk_phones_reachable", "Registered phones.", status.phones.reachable as f64),
        ("voxtrunk_sip_sessions", "SIP sessions.", sip.sessions as f64),
        ("voxtrunk_sip_transactions", "SIP transactions.", sip.transactions as f64),
        ("voxtrunk_sip_connections", "Connections of SIP.", sip.connections as f64),
        ("voxtrunk_rtp_ports_in_use", "Open media ports.", media.ports as f64),
        (
            "voxtrunk_media_worst_lag_seconds",
            "The worst lateness of a media port.",
            media.worst_ms / 1_000.0,
        ),
        (
            "voxtrunk_security_banned",
            "Addresses and networks that are not heard.",
            status.door.banned.len() as f64,
        ),
    ];
    for (name, help, value) in gauges {
        out.gauge(name, help);
        out.sample(&[], value);
    }
    if let Some(memory) = status.memory {
        out.gauge("process_resident_memory_bytes", "Memory in use.");
        out.sample(&[], memory as f64);
    }
    let counters = [
        ("voxtrunk_calls_taken_total", "Calls that were taken.", calls.taken),
        ("voxtrunk_calls_refused_total", "Calls that were refused.", calls.refused),
        ("voxtrunk_sip_dropped_total", "Messages that were of no use.", sip.dropped),
        ("voxtrunk_sip_retransmissions_total", "Messages that were sent again.", sip.resent),
        ("voxtrunk_media_late_total", "How often a port was served 40 ms late.", media.late),
        ("voxtrunk_media_unheard_frames_total", "Frames no listener took.", media.unheard),
        ("voxtrunk_media_undelivered_facts_total", "Facts no call took.", media.undelivered),
        ("voxtrunk_recording_lost_frames_total", "Frames no recording took.", media.unrecorded),
    ];
    for (name, help, value) in counters {
        out.counter(name, help);
        out.sample(&[], value as f64);
    }
    out.counter("voxtrunk_security_rejected_total", "Requests that were turned away.");
    for (reason, count) in &status.door.turned_away {
        out.sample(&[("reason", reason)], *count as f64);
    }
}

/// SIP messages by kind. Methods are ours to know, and statuses are 600: nobody outside makes series.
fn messages(out: &mut Exposition, messages: &[MessagesView]) {
    out.counter("voxtrunk_sip_requests_total", "Requests by method.");
    for it in messages {
        let Some(method) = &it.method else { continue };
        out.sample(&[("method", method), ("direction", &it.direction)], it.count as f64);
    }
    out.counter("voxtrunk_sip_responses_total", "Answers by status.");
    for it in messages {
        let Some(status) = it.status.map(|status| status.to_string()) else { continue };
        out.sample(&[("code", &status), ("direction", &it.direction)], it.count as f64);
    }
}

fn lines(out: &mut Exposition, trunks: &[TrunkView]) {
    out.gauge("voxtrunk_calls_active", "Calls that are up, by trunk.");
    for trunk in trunks {
        for (direction, count) in
            [("inbound", trunk.calls.inbound), ("outbound", trunk.calls.outbound)]
        {
            out.sample(&[("direction", direction), ("trunk", &trunk.name)], count as f64);
        }
    }
    out.counter("voxtrunk_trunk_calls_total", "Calls that came in, and that were tried out.");
    for trunk in trunks {
        let calls = &trunk.calls;
        for (direction, count) in
            [("inbound", calls.inbound_total), ("outbound", calls.outbound_total)]
        {
            out.sample(&[("direction", direction), ("trunk", &trunk.name)], count as f64);
        }
    }
    out.gauge("voxtrunk_trunk_up", "1 when calls can go by a trunk that is asked after.");
    for trunk in trunks.iter().filter(|trunk| matches!(&*trunk.state, "up" | "down")) {
        out.sample(&[("trunk", &trunk.name)], f64::from(u8::from(trunk.state == "up")));
    }
    out.gauge("voxtrunk_trunk_registered", "1 when a registrar knows us.");
    for trunk in trunks {
        let Some(registration) = &trunk.registration else { continue };
        let is_registered = registration.state == "registered";
        out.sample(&[("trunk", &trunk.name)], f64::from(u8::from(is_registered)));
    }
    out.gauge("voxtrunk_trunk_options_rtt_seconds", "How long the last OPTIONS took.");
    for trunk in trunks {
        let Some(after) = trunk.options.as_ref().and_then(|options| options.after_ms) else {
            continue;
        };
        out.sample(&[("trunk", &trunk.name)], after / 1_000.0);
    }
}
