//! Conversations, one behaviour each.

use std::time::{Duration, Instant};

use super::stage::{Stage, Voice, agent, caller, last_words, tool_call};
use crate::agent::assistant::{Assistant, Transfer};
use crate::agent::conversation::{Message, Request};
use crate::agent::event::{Delta, Input, Note, Output, Over, PauseId, ThoughtId, Transcript};
use crate::agent::tool::names;

const HOURS: (&str, &str) = ("hours", "We are open from nine to five.");
const LONG: (&str, &str) = (
    "menu",
    "Today we have soup, fish and bread. Tomorrow there will be nothing but cake. Anything else?",
);

#[test]
fn the_agent_greets_and_then_listens() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello. How can I help?", &[]);
    stage.play(4_000);
    assert_eq!(stage.transcript(), ["agent: Hello. How can I help?"]);
    assert_eq!(stage.audible[0].0, 50);
}

#[test]
fn two_turns_are_answered_at_once_and_once() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[HOURS, LONG]);
    stage.caller(2_000, 1_000, "What are your hours?");
    stage.caller(8_000, 1_000, "And the menu?");
    stage.play(20_000);
    let expected = [
        "agent: Hello.",
        "caller: What are your hours?",
        "agent: We are open from nine to five.",
        "caller: And the menu?",
        "agent: Today we have soup,",
        "agent: fish and bread.",
        "agent: Tomorrow there will be nothing but cake.",
        "agent: Anything else?",
    ];
    assert_eq!(stage.transcript()[..8], expected);
    let times = stage.notes().find_map(|(_, note)| match note {
        Note::TurnTimed { times, .. } => Some(*times),
        _ => None,
    });
    let times = times.expect("the turn was timed");
    let since = |at: Option<Instant>| at.map(|at| (at - stage.at(3_000)).as_millis());
    // Asked at 160 + 50, answered 110 later, voiced 50 later: all before the turn is taken, so
    // that the caller hears the answer when it is.
    let stages = [
        times.speech_ended,
        times.transcript,
        times.first_delta,
        times.first_audio,
        times.committed,
        times.first_packet,
    ];
    assert_eq!(stages.map(since), [160, 210, 310, 370, 300, 370].map(Some));
    let last = stage.requests()[1].messages.clone();
    let said = [agent("Hello.", false), caller("What are your hours?", "")];
    assert_eq!(last[..2], said);
    assert_eq!(last.len(), 4);
}

#[test]
fn an_interruption_leaves_only_what_was_heard() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG, HOURS]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(6_000, 1_500, "No, your hours.");
    stage.play(12_000);
    let transcript = stage.transcript();
    let expected = [
        "agent: Today we have soup,",
        "agent: fish and bread.",
        "agent: Tomorrow there will —",
        "caller: No, your hours.",
        "agent: We are open from nine to five.",
    ];
    assert_eq!(transcript[2..], expected);
    assert_eq!(stage.notes().filter(|(_, note)| **note == Note::Interrupted).count(), 1);
    // Held at the edge, dropped after the least speech that counts, measured from edge to edge.
    assert_eq!(stage.first(|it| *it == Output::Pause), Some(6_060));
    assert_eq!(stage.first(|it| matches!(it, Output::Flush { .. })), Some(6_560));
    let history = &stage.requests()[1].messages;
    assert_eq!(history[2], agent("Today we have soup, fish and bread. Tomorrow there will", true));
}

#[test]
fn a_cough_does_not_stop_the_agent() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 150, "");
    stage.play(10_000);
    assert!(stage.notes().any(|(_, note)| *note == Note::FalseInterruption));
    assert_eq!(stage.first(|it| *it == Output::Resume), Some(4_360));
    assert!(stage.transcript().contains(&"agent: Anything else?".to_owned()));
    assert_eq!(stage.requests().len(), 1);
}

#[test]
fn a_back_channel_does_not_stop_the_agent_even_if_its_text_is_late() {
    for stt in [Some(50), Some(900), None] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG]);
        stage.caller(1_000, 800, "The menu?");
        stage.play(2_500);
        stage.stt = stt;
        stage.caller(4_000, 300, "Uh-huh.");
        stage.play(12_000);
        assert_eq!(stage.notes().filter(|(_, note)| **note == Note::Interrupted).count(), 0);
        assert!(stage.transcript().contains(&"agent: Anything else?".to_owned()));
        assert_eq!(stage.requests().len(), 1, "{stt:?}");
    }
}

#[test]
fn a_short_word_that_is_no_back_channel_takes_the_floor() {
    for stt in [50, 900] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG, HOURS]);
        stage.caller(1_000, 800, "The menu?");
        stage.play(2_500);
        stage.stt = Some(stt);
        stage.caller(4_000, 300, "hours!");
        stage.play(12_000);
        assert!(!stage.transcript().contains(&"agent: Anything else?".to_owned()));
        assert!(stage.transcript().contains(&"agent: We are open from nine to five.".to_owned()));
    }
}

#[test]
fn a_protected_greeting_is_heard_to_its_end_and_the_caller_is_answered_then() {
    let mut assistant = Assistant::default();
    assistant.interrupt.first_message = false;
    let first = "This call may be recorded for training.";
    let mut stage = Stage::with_answers(assistant, first, &[HOURS]);
    stage.caller(500, 1_000, "Your hours?");
    stage.play(8_000);
    let expected = [
        "agent: This call may be recorded for training.",
        "caller: Your hours?",
        "agent: We are open from nine to five.",
    ];
    assert_eq!(stage.transcript(), expected);
    assert_eq!(stage.first(|it| *it == Output::Pause), None);
}

#[test]
fn a_silent_caller_is_reminded_and_then_let_go() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[]);
    stage.play(60_000);
    let expected = [
        "agent: Hello.",
        "agent: Are you still there?",
        "agent: I am still here. How can I help you?",
        "agent: Are you still there?",
        "agent: Goodbye.",
    ];
    assert_eq!(stage.transcript(), expected);
    let (at, why) = stage.over().expect("the call ends");
    assert_eq!(why, Over::SilenceTimeout);
    assert!((30_000..33_000).contains(&at), "{at}");
}

#[test]
fn a_caller_who_speaks_during_the_last_goodbye_stays() {
    let mut assistant = Assistant::default();
    assistant.silence.remind_after = Duration::ZERO;
    assistant.goodbye = Some("I will hang up now because nobody is there.".to_owned());
    let mut stage = Stage::with_answers(assistant, "Hello.", &[HOURS]);
    stage.caller(31_500, 900, "Wait, your hours!");
    stage.play(40_000);
    assert_eq!(stage.over(), None);
    assert!(stage.transcript().contains(&"agent: We are open from nine to five.".to_owned()));
}

#[test]
fn a_withdrawn_guess_is_never_heard_or_noted() {
    let answers = [("both", "Both it is."), ("table", "A table it is.")];
    let mut stage = Stage::with_answers(Assistant::default(), "", &answers);
    stage.caller(1_000, 1_000, "I want a table.");
    stage.caller(2_210, 800, " And a chair, both.");
    stage.play(8_000);
    assert_eq!(
        stage.transcript()[..2],
        ["caller: I want a table. And a chair, both.", "agent: Both it is.",]
    );
    assert_eq!(stage.requests().len(), 2);
    assert_eq!(stage.requests()[1].messages.len(), 1);
    assert!(stage.audible.iter().all(|(_, text)| text != "A table it is."));
    assert_eq!(stage.abandoned, [ThoughtId(1)]);
}

#[test]
fn a_guess_runs_no_tool_before_the_turn_is_taken() {
    let mind = |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) => {
            vec![(100, Delta::Text(format!("It is {}.", result.content))), (0, Delta::Done)]
        }
        _ => vec![(10, tool_call("look_up", "{}")), (0, Delta::Done)],
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 1_000, "What is it?");
    stage.play(4_000);
    let committed = stage.first(|it| matches!(it, Output::Note(Note::CallerSaid { .. })));
    let ran = stage.first(|it| matches!(it, Output::Run(_)));
    assert_eq!((committed, ran), (Some(2_300), Some(2_300)));
    assert_eq!(stage.transcript(), ["caller: What is it?", "tool: look_up", "agent: It is 42."]);
}

#[test]
fn words_that_come_while_the_agent_thinks_belong_to_the_same_question() {
    let mind = |request: &Request| {
        let words = last_words(request);
        vec![(2_000, Delta::Text(format!("You said {words}."))), (0, Delta::Done)]
    };
    let mut assistant = Assistant::default();
    assistant.fallback.hold_after = Duration::from_secs(5);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.caller(1_000, 1_000, "I want a room");
    stage.caller(3_000, 700, "for two");
    stage.play(9_000);
    let expected =
        ["caller: I want a room", "caller: for two", "agent: You said I want a room for two."];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn a_cough_while_the_agent_thinks_does_not_lose_the_question() {
    for noise in ["", "mhm"] {
        let mind = |_: &Request| vec![(1_000, Delta::Text("Yes.".to_owned())), (0, Delta::Done)];
        let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
        stage.caller(1_000, 1_000, "Is it open?");
        stage.caller(2_500, 150, noise);
        stage.play(6_000);
        assert_eq!(stage.transcript(), ["caller: Is it open?", "agent: Yes."]);
    }
}

#[test]
fn a_text_that_never_comes_does_not_hold_up_the_call() {
    let mut stage = Stage::with_answers(Assistant::default(), "", &[]);
    stage.stt = None;
    stage.caller(1_000, 900, "Is it open?");
    stage.play(8_000);
    assert_eq!(stage.transcript()[..2], ["caller: ", "agent: What was that?"]);
}

#[test]
fn a_text_that_comes_late_is_thought_about_again() {
    let mind = |request: &Request| {
        let words = last_words(request);
        vec![(1_000, Delta::Text(format!("You said {words}."))), (0, Delta::Done)]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.stt = Some(2_400);
    stage.caller(1_000, 900, "Open?");
    stage.play(7_000);
    let expected =
        ["caller: ", "caller: Open?", "agent: One moment, please.", "agent: You said Open?."];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn the_goodbye_is_heard_to_its_end_before_the_call_ends() {
    for (text, last) in
        [("Thank you for calling us.", "Thank you for calling us."), ("", "Goodbye.")]
    {
        let mind = move |_: &Request| {
            vec![
                (100, Delta::Text(text.to_owned())),
                (0, tool_call(names::END_CALL, "{}")),
                (0, Delta::Done),
            ]
        };
        let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
        stage.caller(1_000, 600, "Bye!");
        // A cough does not keep the call.
        stage.caller(2_200, 100, "");
        stage.play(8_000);
        let last = format!("agent: {last}");
        assert_eq!(stage.transcript().last(), Some(&last));
        let (at, why) = stage.over().expect("the call ends");
        let heard = stage.notes().find(|(_, note)| matches!(note, Note::AgentSaid { .. }));
        assert_eq!(why, Over::AgentEnded);
        assert_eq!(heard.map(|(at, _)| at), Some(at));
    }
}

#[test]
fn a_caller_who_interrupts_the_goodbye_is_heard() {
    let mind = |request: &Request| {
        if last_words(request).contains("Bye") {
            let text = "Thank you very much for calling us today.".to_owned();
            return vec![
                (100, Delta::Text(text)),
                (0, tool_call("end_call", "{}")),
                (0, Delta::Done),
            ];
        }
        vec![(100, Delta::Text("From nine.".to_owned())), (0, Delta::Done)]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Bye!");
    stage.caller(3_000, 900, "Oh, and your hours?");
    stage.play(7_000);
    assert_eq!(stage.over(), None);
    assert_eq!(stage.transcript().last(), Some(&"agent: From nine.".to_owned()));
}

#[test]
fn a_model_that_only_calls_tools_is_made_to_speak() {
    let mind = |request: &Request| {
        if request.tools.is_empty() {
            return vec![(50, Delta::Text("I found nothing.".to_owned())), (0, Delta::Done)];
        }
        vec![
            (50, tool_call("look_up", "{}")),
            (0, tool_call("no_such_tool", "{}")),
            (0, Delta::Done),
        ]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Find it!");
    stage.play(6_000);
    let runs = stage.log.iter().filter(|(_, it)| matches!(it, Output::Run(_))).count();
    assert_eq!(runs, 2);
    assert_eq!(stage.transcript().last(), Some(&"agent: I found nothing.".to_owned()));
    let history = stage.requests()[2].messages.clone();
    let results = history.iter().filter(|it| matches!(it, Message::ToolResult(_))).count();
    assert_eq!(results, 4);
    // The next turn has tools again.
    stage.caller(7_000, 600, "Again!");
    stage.play(8_000);
    assert_eq!(stage.requests()[3].tools.len(), 2);
}

#[test]
fn a_model_that_never_stops_calling_tools_fails() {
    let mind = |_: &Request| vec![(50, tool_call("look_up", "{}")), (0, Delta::Done)];
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Find it!");
    stage.play(9_000);
    let fallback = "agent: I am sorry, I could not find an answer.";
    assert!(stage.transcript().iter().any(|line| line.starts_with(fallback)));
}

#[test]
fn a_transfer_begins_after_its_announcement_and_its_failure_is_told() {
    let mind = |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) => {
            vec![(100, Delta::Text(format!("Sorry, {}.", result.content))), (0, Delta::Done)]
        }
        _ => vec![
            (100, Delta::Text("I am connecting you.".to_owned())),
            (0, tool_call(names::TRANSFER_CALL, r#"{"to": "sales"}"#)),
            (0, Delta::Done),
        ],
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.tool = (3_000, Err("busy"));
    stage.caller(1_000, 600, "Sales!");
    // Nobody listens while the call is being connected.
    stage.caller(5_000, 600, "Hello?");
    stage.play(10_000);
    let announced = stage.notes().find(|(_, note)| matches!(note, Note::AgentSaid { .. }));
    let ran = stage.first(|it| matches!(it, Output::Run(_)));
    assert_eq!(announced.map(|(at, _)| at), ran);
    let expected = [
        "caller: Sales!",
        "tool: transfer_call",
        "agent: I am connecting you.",
        "agent: Sorry, busy.",
    ];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn a_model_that_stalls_is_bridged_then_given_up_and_at_last_the_call_ends() {
    let mind = |_: &Request| Vec::new();
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    for turn in 0..3 {
        stage.caller(1_000 + 20_000 * turn, 1_000, "Is it open?");
    }
    stage.play(70_000);
    let turn = ["caller: Is it open?", "agent: One moment, please."];
    let fallback = "agent: I am sorry, I could not find an answer. Could you say that again?";
    let transcript = stage.transcript();
    let transcript: Vec<&str> =
        transcript.iter().map(String::as_str).filter(|line| !line.contains("still")).collect();
    assert_eq!(transcript[..3], [turn[0], turn[1], fallback]);
    assert_eq!(transcript[3..6], [turn[0], turn[1], fallback]);
    assert_eq!(transcript[6..8], turn);
    assert!(transcript[8].starts_with("agent: I am very sorry"));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError));
    // The caller's last sample is at 2000.
    let hold = stage.audible[0].0;
    assert!(hold <= 4_000, "the holding phrase comes after {hold} ms");
}

#[test]
fn a_model_that_fails_is_excused_and_the_call_goes_to_a_human() {
    let mind = |_: &Request| vec![(100, Delta::Failed)];
    let mut assistant = Assistant::default();
    assistant.fallback.tries = 2;
    assistant.fallback.to = Some("desk".to_owned());
    let desk = Transfer {
        say: Some("I am getting a colleague.".to_owned()),
        ..Transfer::silent("busy".parse().expect("a destination"))
    };
    assistant.transfers.insert("desk".to_owned(), desk);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.tool = (500, Err("busy"));
    stage.caller(1_000, 1_000, "Is it open?");
    stage.caller(9_000, 1_000, "Is it open?");
    stage.play(30_000);
    let run = stage.log.iter().find_map(|(_, it)| match it {
        Output::Run(call) => call.argument("to"),
        _ => None,
    });
    assert_eq!(run.as_deref(), Some("desk"));
    let transcript = stage.transcript();
    assert_eq!(transcript[4], "agent: I am getting a colleague.");
    assert!(transcript[5].starts_with("agent: I am very sorry"));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError));
}

#[test]
fn a_caller_who_stops_the_fallback_transfer_is_not_punished_for_it_later() {
    let mut failures = 0;
    let mind = move |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) if !result.failed => {
            vec![(100, Delta::Text(format!("It is {}.", result.content))), (0, Delta::Done)]
        }
        _ if failures == 0 => {
            failures += 1;
            vec![(100, Delta::Failed)]
        }
        _ => vec![(100, tool_call("look_up", "{}")), (0, Delta::Done)],
    };
    let mut assistant = Assistant::default();
    assistant.turns.preemptive = false;
    assistant.fallback.tries = 1;
    assistant.fallback.to = Some("desk".to_owned());
    let desk = Transfer {
        say: Some("I am getting a colleague who can help you.".to_owned()),
        ..Transfer::silent("busy".parse().expect("a destination"))
    };
    assistant.transfers.insert("desk".to_owned(), desk);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.caller(1_000, 1_000, "What is it?");
    stage.caller(3_000, 1_000, "No, what is it?");
    stage.play(8_000);
    assert_eq!(stage.transcript().last(), Some(&"agent: It is 42.".to_owned()));
    assert_eq!(stage.over(), None);
}

#[test]
fn a_voice_that_fails_or_hangs_does_not_hold_the_caller_for_ever() {
    for voice in [Voice::Fails, Voice::Hangs] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[HOURS]);
        stage.voice = voice;
        stage.caller(15_000, 1_000, "Your hours?");
        stage.play(90_000);
        assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError), "{voice:?}");
        assert!(stage.audible.is_empty());
        assert!(stage.transcript().iter().all(|line| !line.starts_with("agent")));
    }
}

#[test]
fn keys_are_a_turn_and_stop_the_agent() {
    let answers = [("123", "Thank you."), ("7", "Seven.")];
    let mut stage =
        Stage::with_answers(Assistant::default(), "Please enter your number.", &answers);
    stage.keys(500, "123#");
    stage.keys(4_000, "7");
    stage.play(7_000);
    let expected =
        ["agent: Please —", "caller: 123", "agent: Thank you.", "caller: 7", "agent: Seven."];
    assert_eq!(stage.transcript(), expected);
    assert_eq!(stage.first(|it| matches!(it, Output::Think { .. })), Some(1_100));
    let committed: Vec<u64> = stage
        .notes()
        .filter(|(_, note)| matches!(note, Note::CallerSaid { .. }))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(committed, [1_100, 5_200]);
}

#[test]
fn an_agent_that_cannot_be_interrupted_answers_afterwards() {
    let mut assistant = Assistant::default();
    assistant.interrupt.enabled = false;
    let mut stage = Stage::with_answers(assistant, "", &[LONG, HOURS]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 300, "Okay.");
    stage.caller(5_000, 800, "Your hours?");
    stage.play(14_000);
    let transcript = stage.transcript();
    let after: Vec<&str> = transcript.iter().map(String::as_str).skip(4).collect();
    let expected =
        ["agent: Anything else?", "caller: Your hours?", "agent: We are open from nine to five."];
    assert_eq!(after, expected);
}

#[test]
fn a_call_that_is_wound_up_ends_with_a_goodbye_that_cannot_be_interrupted() {
    let mut stage = Stage::with_answers(Assistant::default(), "", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.fact(3_000, Input::WindUp);
    stage.caller(3_100, 900, "What?");
    stage.play(9_000);
    assert_eq!(stage.transcript().last(), Some(&"agent: Goodbye.".to_owned()));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::WoundUp));
}

#[test]
fn the_longest_call_ends_whatever_the_caller_does() {
    let mut assistant = Assistant::default();
    assistant.limits.max_duration = Duration::from_secs(5);
    let mut stage = Stage::with_answers(assistant, "", &[]);
    stage.caller(4_500, 9_000, "And another thing");
    stage.play(9_000);
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::MaxDuration));
    assert_eq!(stage.transcript(), ["agent: Goodbye."]);
}

#[test]
fn words_that_are_asked_for_before_an_interruption_are_waited_for() {
    let mut assistant = Assistant::default();
    assistant.interrupt.min_words = 2;
    let mut stage = Stage::with_answers(assistant, "Hello.", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 2_500, "No, stop, please");
    let partial = |text: &str| Input::Transcript {
        pause: PauseId(1),
        transcript: Transcript::Partial { text: text.to_owned() },
    };
    stage.fact(4_500, partial("no"));
    stage.fact(5_000, partial("no stop"));
    stage.play(8_000);
    assert_eq!(stage.first(|it| *it == Output::Pause), Some(4_060));
    assert_eq!(stage.first(|it| matches!(it, Output::Flush { .. })), Some(5_000));
}

#[test]
fn a_caller_who_never_pauses_is_answered_all_the_same() {
    let mut assistant = Assistant::default();
    assistant.turns.max_turn = Duration::from_secs(5);
    let mut stage = Stage::with_answers(assistant, "", &[]);
    stage.caller(1_000, 20_000, "And so on");
    stage.play(9_000);
    assert_eq!(stage.first(|it| matches!(it, Output::Finalize(_))), Some(6_060));
    let answered = stage.audible.first().map(|(at, _)| *at);
    assert!(answered.is_some_and(|at| at < 6_500), "{answered:?}");
}

#[test]
fn a_tool_that_the_caller_interrupts_is_told_as_interrupted() {
    let mind = |request: &Request| {
        if last_words(request).contains("stop") {
            return vec![(100, Delta::Text("Fine.".to_owned())), (0, Delta::Done)];
        }
        vec![(100, tool_call("look_up", "{}")), (0, Delta::Done)]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.tool = (2_000, Ok("42"));
    stage.caller(1_000, 1_000, "What is it?");
    stage.caller(2_800, 800, "No, stop.");
    stage.play(8_000);
    assert_eq!(stage.transcript().last(), Some(&"agent: Fine.".to_owned()));
    let history = &stage.requests()[1].messages;
    let Message::ToolResult(result) = &history[2] else { panic!("{history:?}") };
    assert!(result.failed && result.content.contains("interrupted"));
    assert_eq!(stage.requests().len(), 2);
}
