//! Mistakes in flows, in what follows calls, and in weights.

use super::{MIND, agent, codes, loaded, rendered};

/// A flow of agent `front` with these nodes; it starts at `a`.
fn flow(nodes: &str) -> String {
    let front = agent("first_message = \"Hello.\"");
    format!("{front}\n[flows.x]\nagent = \"front\"\nstart = \"a\"\n{nodes}")
}

#[test]
fn mistakes_in_flows_are_reported_word_for_word() {
    let end = "[flows.x.nodes.end]\ntype = \"end\"\n";
    for (name, nodes) in [
        (
            "a_node_that_is_not_there",
            "[flows.x.nodes.a]\ntype = \"set\"\nset = { n = 1 }\nnext = \"edn\"\n",
        ),
        ("a_node_of_no_type", "[flows.x.nodes.a]\ntype = \"aks\"\nnext = \"end\"\n"),
        (
            "a_flow_without_an_end",
            "[flows.x.nodes.a]\ntype = \"say\"\ntext = \"Hi.\"\nnext = \"b\"\n\
             [flows.x.nodes.b]\ntype = \"say\"\ntext = \"Ho.\"\nnext = \"a\"\n",
        ),
        (
            "values_that_nobody_sets_and_types_that_are_none",
            "[flows.x.nodes.a]\ntype = \"ask\"\ncollect = { day = \"dat\", hour = \"time\" }\n\
             ask = { day = \"When, {{ vars.name }}?\" }\nnext = [{ when = \"vars.dya == 'x'\", to = \"end\" }]\n",
        ),
        (
            "keys_of_another_type",
            "[flows.x.nodes.a]\ntype = \"wait\"\nfor = \"2s\"\ntext = \"Hi.\"\ntool = \"now\"\nnext = \"end\"\n",
        ),
        (
            "a_model_where_there_is_none",
            "[flows.x.nodes.a]\ntype = \"agent\"\nprompt = \"Talk.\"\ntools = [\"bok\"]\n\
             exits = [{ when = \"vars.n == 1\", to = \"end\" }, { to = \"end\" }]\n",
        ),
        (
            "a_conversation_that_nobody_takes",
            "[flows.x.nodes.a]\ntype = \"handoff\"\nto = \"phone:101\"\n",
        ),
        (
            "a_web_service_inside",
            "[flows.x.nodes.a]\ntype = \"webhook\"\nurl = \"http://10.0.0.1/told?n={{ vars.m }\"\nnext = \"end\"\n",
        ),
    ] {
        insta::assert_snapshot!(name, rendered(&loaded("", &flow(&format!("{nodes}{end}")))));
    }
}

#[test]
fn mistakes_in_what_follows_a_call_are_reported_word_for_word() {
    let after = "llm = { provider = \"rules\" }\n[agents.front.after]\nsummary = true\n\
                 extract = { phone = \"telephone\" }\ntool = \"crm\"\n\
                 [[agents.front.intents]]\nid = \"a\"\nphrases = [\"hello\"]\nsay = \"Hi.\"\n";
    insta::assert_snapshot!(rendered(&loaded(MIND, &agent(after))));
}

#[test]
fn weights_are_one_for_each_and_not_all_nothing() {
    let route = |weights: &str| {
        let agents = "[agents.a]\nfirst_message = \"A.\"\n[agents.b]\nfirst_message = \"B.\"\n";
        format!("[[route]]\nto = [\"agent:a\", \"agent:b\"]\nweights = {weights}\n\n{agents}")
    };
    assert_eq!(codes(&loaded("", &route("[3, 0]"))), Vec::<&str>::new());
    for weights in ["[1]", "[0, 0]"] {
        assert_eq!(codes(&loaded("", &route(weights))), ["route.weights"]);
    }
}
