//! `voxtrunk flow test`: a flow as text, without a phone. The caller's lines come by the standard
//! input; `#12` presses keys, and an empty line is silence.

use std::io::{self, BufRead};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::agent::conversation::Message;
use crate::agent::intents::dialogue::Dialogue;
use crate::agent::tool::{ToolCall, names};
use crate::agent::tools::arguments;
use crate::base::scope::Scope;
use crate::call::flow::{Input, Output, Walk};
use crate::config::load::Loaded;
use crate::dialplan::flow::asker;
use crate::engine::clock;
use crate::providers::tools::seam::Use;
use crate::server::assembly::{self, Show};
use crate::server::tool::CALL;
use crate::server::tools::Shop;
use crate::server::{casting, serve};

/// Walks a flow; fails when it cannot go on.
pub fn test(config: &Path, name: &str) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let Some(flow) = loaded.flows.get(name) else {
        let known: Vec<&str> = loaded.flows.keys().map(String::as_str).collect();
        eprintln!("There is no flow `{name}`; flows: {}", known.join(", "));
        return ExitCode::from(2);
    };
    let mut scope = Scope::default();
    for (path, value) in CALL {
        scope.set(path, value);
    }
    let walk = Walk::new(name, flow.clone(), scope);
    let mut test = Test { loaded: &loaded, walk, steps: clock::now() };
    match test.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => serve::finish(Err(why)),
    }
}

/// A flow that is walked.
struct Test<'a> {
    loaded: &'a Loaded,
    walk: Walk,
    /// The time of the flow, which waits for nobody.
    steps: std::time::Instant,
}

impl Test<'_> {
    /// Walks to the end; whether it was one.
    fn run(&mut self) -> Result<bool, String> {
        self.handle(Input::Began);
        while let Some(output) = self.walk.poll() {
            match output {
                Output::Entered(node) => println!("[{node}]"),
                Output::Say(line) => {
                    println!("agent: {line}");
                    self.handle(Input::Said);
                }
                Output::Ask { node, line } => self.ask(&node, &line)?,
                Output::Wait => {
                    if let Some(until) = self.walk.deadline() {
                        let waits = until.saturating_duration_since(self.steps);
                        println!("(waits {} ms)", waits.as_millis());
                        self.steps = until;
                        self.walk.tick(until);
                    }
                }
                Output::Use { tool, arguments } => self.use_tool(&tool, &arguments)?,
                Output::Go(to) => {
                    println!("(goes to {to})");
                    return Ok(true);
                }
                Output::End => {
                    println!("(hangs up)");
                    return Ok(true);
                }
                Output::Fail(why) => {
                    println!("(cannot go on: {why})");
                    return Ok(false);
                }
                Output::Stop => return Ok(false),
            }
        }
        Ok(false)
    }

    fn handle(&mut self, input: Input) {
        self.walk.handle(self.steps, input);
    }

    /// Asks until the values are there, or nobody answers.
    fn ask(&mut self, node: &str, line: &str) -> Result<(), String> {
        let role = asker(self.walk.name(), node);
        let assistant = self.loaded.posts.get(&role).ok_or("nobody asks at this node")?;
        let compiled = casting::compiled(assistant).map_err(|why| why.to_string())?;
        let dialogue = Dialogue::new(compiled, Arc::clone(assistant));
        let question = assistant.first_message.clone().unwrap_or_default();
        println!("agent: {}", format!("{line} {question}").trim());
        let today = self.loaded.server.machine.timezone.local(clock::since_epoch()).date;
        let mut messages = Vec::new();
        loop {
            let Some(said) = heard().map_err(|why| why.to_string())? else {
                println!("caller: (says nothing)");
                self.handle(Input::Unanswered);
                return Ok(());
            };
            println!("caller: {said}");
            let (text, keys) = match said.strip_prefix('#') {
                Some(keys) => (String::new(), keys.to_owned()),
                None => (said, String::new()),
            };
            messages.push(Message::Caller { text, keys });
            let reply = dialogue.reply_on(Some(today), &messages);
            if !reply.text.is_empty() {
                println!("agent: {}", reply.text);
                messages.push(Message::Agent { text: reply.text, interrupted: false });
            }
            match reply.tool {
                Some((names::COLLECT, values)) => {
                    self.handle(Input::Collected(values));
                    return Ok(());
                }
                Some((names::TRANSFER_CALL, _)) => {
                    self.handle(Input::Unanswered);
                    return Ok(());
                }
                Some(_) | None => {}
            }
        }
    }

    /// Uses a tool as a call would.
    fn use_tool(&mut self, name: &str, given: &str) -> Result<(), String> {
        println!("(uses {name} {given})");
        let (loaded, mut scope) = (self.loaded, self.walk.scope().clone());
        let used = async {
            let shop =
                Shop::open(&loaded.tools, &loaded.server).await.map_err(|why| why.to_string())?;
            let Some((runs, told)) = shop.tool(name) else {
                return Err(format!("`{name}` is a tool of the house: it needs a call"));
            };
            let arguments = arguments::read(&told.parameters, given)?;
            scope.set("args", arguments);
            let (id, name) = ("test".to_owned(), name.to_owned());
            let call = ToolCall { id, name, arguments: given.to_owned() };
            Ok(runs.run(Use { call, scope, at: clock::since_epoch() }).await)
        };
        let result = serve::block_on(used)?;
        let outcome = if result.failed { "failed" } else { "done" };
        println!("({outcome}: {})", result.content);
        self.handle(Input::Used { result: result.content, failed: result.failed });
        Ok(())
    }
}

/// What the caller says next; `None` is silence, as is the end of the input.
fn heard() -> io::Result<Option<String>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let line = line.trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}
