//! What agents inherit from each other, and what they think by.

use super::{MIND, agent, codes, loaded, rendered};

#[test]
fn an_agent_inherits_tables_key_by_key_and_lists_whole() {
    let dialplan = "[defaults.agent]\ngoodbye = \"Bye.\"\n[defaults.agent.turns]\nwait = \"1s\"\nmax_wait = \"5s\"\n\
        [[route]]\nto = \"agent:night\"\n\
        [agents.day]\nprompt = \"Be kind.\"\ntools = [\"end_call\"]\nlanguage = \"en-GB\"\n[agents.day.turns]\nwait = \"400ms\"\n\
        [agents.night]\nextends = \"day\"\nfirst_message = \"Good evening.\"\ntools = []\n\
        [agents.deep]\nextends = \"night\"\ngoodbye = \"Sleep well.\"\n";
    let loaded = loaded(MIND, dialplan);
    assert_eq!(codes(&loaded), Vec::<&str>::new(), "{}", rendered(&loaded));
    let deep = &loaded.agents["deep"];
    assert_eq!(deep.goodbye.as_deref(), Some("Sleep well."));
    assert_eq!(deep.first_message.as_deref(), Some("Good evening."));
    assert_eq!(deep.prompt.as_deref(), Some("Be kind."));
    assert!(deep.tools.is_empty());
    assert_eq!(deep.turns.wait.as_millis(), 400);
    assert_eq!(deep.turns.max_wait.as_millis(), 5_000);
    assert_eq!(loaded.agents["day"].goodbye.as_deref(), Some("Bye."));
    assert_eq!(loaded.agents["day"].first_message, None);
}

#[test]
fn five_agents_in_a_row_inherit_too_deeply() {
    let mut dialplan = "[[route]]\nto = \"busy\"\n[agents.a0]\nfirst_message = \"x\"\n".to_owned();
    for depth in 1..5 {
        dialplan += &format!("[agents.a{depth}]\nextends = \"a{}\"\n", depth - 1);
    }
    assert_eq!(codes(&loaded("", &dialplan))[0], "ref.depth");
}

#[test]
fn a_prompt_without_any_language_model_is_refused() {
    let dialplan = agent("prompt = \"Be kind.\"");
    assert_eq!(codes(&loaded("", &dialplan)), ["agent.no_model"]);
    let loaded = loaded(MIND, &dialplan);
    assert_eq!(codes(&loaded), Vec::<&str>::new(), "{}", rendered(&loaded));
    assert_eq!(loaded.server.thinker(&loaded.agents["front"]), Some("mind"));
}

#[test]
fn a_mistake_is_not_told_again_for_each_heir() {
    let dialplan = agent(
        "first_message = \"x\"\nlanguage = \"de\"\nnam = 1\ntts = { provider = \"flite\" }\n[agents.heir]\nextends = \"front\"",
    );
    assert_eq!(codes(&loaded("", &dialplan)), ["key.unknown"]);
    let dialplan = dialplan.replace("nam = 1", "");
    assert_eq!(codes(&loaded("", &dialplan)), ["agent.language_voice_mismatch"]);
}
