//! Audio WebSockets, as they are checked.

use super::{agent, loaded, rendered};

#[test]
fn streams_that_cannot_be_are_reported_word_for_word() {
    let server = "[streams.bot]\nurl = \"https://bot.test/ws\"\nsample_rate = 16000\n\n\
                  [streams.plain]\nurl = \"ws://bot.test/ws\"\nformat = \"raw\"\nsample_rate = 44100\n\
                  buffer = \"1h\"\nparameters = { a = \"{{ caller\" }\nelse = \"agent:nobody\"\n\
                  auth_token = \"sesame\"\nheaders = { Authorization = \"Bearer sesame\" }\n\n\
                  [streams.near]\nurl = \"ws://127.0.0.1:7000/\"\nformat = \"audio-fork\"\n";
    let dialplan = agent("first_message = \"x\"")
        + "\n[[route]]\nto = \"stream:bto\"\nfork = \"nobody\"\n\n[[route]]\nto = \"stream:wss://x\"\n";
    insta::assert_snapshot!("streams_that_cannot_be", rendered(&loaded(server, &dialplan)));
}
