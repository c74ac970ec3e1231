//! How well a call is received, while it runs.

use std::time::Duration;

use serde_json::Value;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;

use super::caller::{call, play};
use super::control::told;
use super::server::{House, Server};

#[tokio::test(flavor = "multi_thread")]
async fn how_well_a_call_is_received_is_shown_while_it_runs() {
    let server = Server::start(House::porter()).await;
    let uri = server.uri("porter");
    let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(50));
    let line = play(&Frame::new(Rate::NARROW, sound));
    let caller = tokio::spawn(async move { call(&uri, vec![line], Duration::from_secs(2)).await });
    // Reports go each five seconds, and the first trip needs one of each side.
    let mut seen = Value::Null;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let calls = parsed(&told(&server, &["call", "list", "--json"]).await);
        let quality = calls["data"][0]["legs"][0]["quality"].clone();
        if quality["round_trip_ms"].is_number() && quality["mos"].is_number() {
            seen = calls["data"][0].clone();
            break;
        }
    }
    let quality = &seen["legs"][0]["quality"];
    assert!(quality["received"].as_u64().is_some_and(|it| it > 100), "{seen:#}");
    assert!(quality["mos"].as_f64().is_some_and(|it| (1.0..=4.5).contains(&it)), "{seen:#}");
    assert!(quality["loss_percent"].as_f64().is_some_and(|it| it < 1.0), "{seen:#}");
    assert!(quality["jitter_ms"].is_number() && quality["lost"].is_u64(), "{seen:#}");
    let id = seen["id"].as_str().expect("an identity");
    let show = told(&server, &["call", "show", id]).await;
    assert!(show.contains("ROUND TRIP") && show.contains(" ms"), "{show}");
    told(&server, &["call", "hangup", id]).await;
    assert!(caller.await.expect("the call ends").they_hung_up());
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}
