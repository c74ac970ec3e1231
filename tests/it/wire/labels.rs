//! What programs keep with calls: while they are up, when the server is killed, and when they are over,
//! told by records, lists and events.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::{Ann, Api, problem, until};
use super::peers::free_port;
use super::server::{Folder, House, Server};

/// A patch, and what came of it.
async fn patched(api: &Api, id: &str, patch: &Value) -> reqwest::Response {
    let request = api.request(Method::PATCH, &format!("/v1/calls/{id}"));
    let request = request.header("content-type", "application/merge-patch+json");
    request.body(patch.to_string()).send().await.expect("an answer")
}

/// The same of one that works.
async fn kept(api: &Api, id: &str, patch: Value) -> Value {
    let response = patched(api, id, &patch).await;
    assert_eq!(response.status(), StatusCode::OK, "{patch}");
    response.json().await.expect("JSON")
}

/// The first call of the list.
async fn first(api: &Api, query: &str) -> Value {
    api.json(&format!("/v1/calls?{query}")).await["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_kept_with_a_call_outlives_it_and_the_server() {
    let bind = format!("127.0.0.1:{}", free_port());
    let house = || House::porter().and(&format!("[http]\nbind = {bind:?}\n"));
    let server = Server::start(house()).await;
    let acts = Api::at(&format!("http://{bind}"), None).with(&server, "operate").await;
    let mut events = acts.events("/v1/events?types=call.updated,call.ended", None).await;
    let mut ann = Ann::calls(&server).await;
    let call = first(&acts, "").await;
    let id = call["id"].as_str().expect("an identity").to_owned();
    assert_eq!((&call["name"], &call["metadata"]), (&Value::Null, &json!({})));

    let patch = json!({ "name": "Order 7", "metadata": { "order": 7, "of": { "a": 1, "b": 2 } } });
    kept(&acts, &id, patch).await;
    let told = until(&mut events, "call.updated").await;
    assert_eq!((&told["call_id"], &told["data"]["name"]), (&json!(id), &json!("Order 7")));
    let label = kept(&acts, &id, json!({ "metadata": { "of": { "a": null }, "x": "y" } })).await;
    let metadata = json!({ "order": 7, "of": { "b": 2 }, "x": "y" });
    assert_eq!(label, json!({ "id": id, "name": "Order 7", "metadata": metadata }));
    for shown in [acts.json(&format!("/v1/calls/{id}")).await, first(&acts, "").await] {
        assert_eq!((&shown["name"], &shown["metadata"]), (&json!("Order 7"), &metadata));
    }
    refused(&server, &acts, &id).await;
    acts.post(&format!("/v1/calls/{id}/end"), json!({})).await;
    ann.is_hung_up().await;
    let record = server.record().await;
    assert_eq!((&record["name"], &record["metadata"]), (&json!("Order 7"), &metadata));

    // Of one that ended, too: lists have it at once, whatever the database knows.
    let label = kept(&acts, &id, json!({ "name": null, "metadata": { "order": 8 } })).await;
    let metadata = json!({ "order": 8, "of": { "b": 2 }, "x": "y" });
    assert_eq!(label, json!({ "id": id, "name": null, "metadata": metadata }));
    let listed = first(&acts, "status=completed").await;
    assert_eq!((&listed["name"], &listed["metadata"]), (&Value::Null, &metadata));
    let document = acts.json(&format!("/v1/calls/{id}")).await;
    assert_eq!(
        (&document["metadata"], &document["end_reason"]),
        (&metadata, &json!("admin_ended"))
    );

    // A call that is up when the server is killed keeps what it had.
    let _bob = Ann::calls(&server).await;
    // It is the newest, whether its ACK was read yet or not.
    let up = first(&acts, "").await;
    let other = up["id"].as_str().expect("an identity").to_owned();
    assert_ne!(other, id, "{up:#}");
    kept(&acts, &other, json!({ "metadata": { "order": 9 } })).await;
    let folder = Folder::of(server);
    let server = Server::start_in(folder, house()).await;
    let records = server.records(2).await;
    let late = records.iter().find(|it| it["id"] == json!(other)).expect("its record");
    assert_eq!(
        (&late["end_reason"], &late["metadata"]["order"]),
        (&json!("server_crash"), &json!(9))
    );
    let again = acts.json(&format!("/v1/calls/{id}")).await;
    assert_eq!(again["metadata"], metadata);
}

/// What makes no sense, or is too much, changes nothing.
async fn refused(server: &Server, acts: &Api, id: &str) {
    let deep = (0..9).fold(json!(1), |inner, _| json!({ "a": inner }));
    for (patch, pointer) in [
        (json!({ "name": 7 }), "/name"),
        (json!({ "name": "a\nb" }), "/name"),
        (json!({ "metadata": [1] }), "/metadata"),
        (json!({ "metadata": { "a": "x".repeat(17_000) } }), "/metadata"),
        (json!({ "metadata": deep }), "/metadata"),
        (json!({ "meta": {} }), "/meta"),
    ] {
        let wrong = problem(patched(acts, id, &patch).await, 422).await;
        assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong:#}");
    }
    let nobody = "call_00000000000000000000000000";
    problem(patched(acts, nobody, &json!({ "name": "x" })).await, 404).await;
    let looks = acts.with(server, "read").await;
    problem(patched(&looks, id, &json!({ "name": "x" })).await, 403).await;
    assert_eq!(kept(acts, id, json!({})).await["name"], "Order 7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tenants_are_edited_and_numbers_say_where_they_go() {
    let bind = format!("127.0.0.1:{}", free_port());
    let settings = format!(
        "[http]\nbind = {bind:?}\n[trunks.carrier]\nhost = \"192.0.2.1\"\n\
         numbers = [\"+4971112345\", \"+49711123460..69\"]\n\
         # Those in the cellar.\n[tenants.acme]\nname = \"Acme\"\nnumbers = [\"+4971112345\"]\n"
    );
    let dialplan = "[[route]]\nname = \"acme\"\ndid = \"+4971112345\"\nto = \"reject:486\"\n\
                    [[route]]\next = \"100\"\nto = \"reject:603\"\n";
    let server = Server::start(House::with(dialplan).and(&settings)).await;
    let rules = Api::at(&format!("http://{bind}"), None).with(&server, "admin").await;
    let numbers = rules.json("/v1/numbers").await;
    let said: Vec<&str> = numbers["data"]
        .as_array()
        .expect("numbers")
        .iter()
        .filter_map(|it| it["number"].as_str())
        .collect();
    assert_eq!(said, ["+4971112345", "+49711123460..69"], "{numbers:#}");
    let ours = rules.json("/v1/numbers/+4971112345").await;
    assert_eq!((&ours["trunks"], &ours["tenant"]), (&json!(["carrier"]), &json!("acme")));
    assert_eq!((&ours["route"], &ours["to"]), (&json!("acme"), &json!(["reject:486"])), "{ours:#}");
    let others = rules.json("/v1/numbers/+49711123460..69").await;
    assert_eq!((&others["tenant"], &others["to"]), (&Value::Null, &json!([])), "{others:#}");
    problem(rules.get("/v1/numbers/+4930").await, 404).await;

    let tenants = rules.json("/v1/tenants").await;
    assert_eq!(tenants["data"][0]["name"], "acme", "{tenants:#}");
    let found = rules.get("/v1/tenants/acme").await;
    let tag = found.headers()["etag"].clone();
    let patch = rules.request(Method::PATCH, "/v1/tenants/acme").header("If-Match", tag);
    let patch = patch.header("content-type", "application/json");
    let body = json!({ "numbers": ["+4971112345", "+49711123460..69"] }).to_string();
    let edited = patch.body(body).send().await.expect("an answer");
    assert_eq!(edited.status(), StatusCode::OK);
    let edited: Value = edited.json().await.expect("JSON");
    let text = std::fs::read_to_string(server.folder.path("conf/server.toml")).expect("settings");
    assert!(text.contains("# Those in the cellar.\n[tenants.acme]\nname = \"Acme\""), "{text}");
    assert!(text.contains("+49711123460..69\"]\n"), "{edited:#}\n{text}");
}
