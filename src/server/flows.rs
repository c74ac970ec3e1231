//! `voxtrunk flow test`: a flow as text, without a phone. The caller's lines come by the standard
//! input; `#12` presses keys, and an empty line is silence. Models and tools are the real ones.

use std::io::{self, BufRead};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;

use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Message, Request, Wanted};
use crate::agent::event::Delta;
use crate::agent::tool::{Tool, ToolCall, ToolResult};
use crate::agent::tools::arguments;
use crate::base::scope::Scope;
use crate::base::template;
use crate::call::flow::{self, Input, Output, Walk};
use crate::config::load::Loaded;
use crate::dialplan::flow::{self as plan, Recording};
use crate::engine::clock;
use crate::providers::registry::Registry;
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
    let walked = async {
        let shop = Shop::open(&loaded.tools, &loaded.server).await.map_err(|it| it.to_string())?;
        let machine = &loaded.server.machine;
        let registry = casting::registry(&loaded.server.providers, machine.models.clone());
        let (steps, past) = (clock::now(), Vec::new());
        Test { loaded: &loaded, registry, shop, walk, steps, past }.run().await
    };
    match serve::block_on(walked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => serve::finish(Err(why)),
    }
}

/// A flow that is walked.
struct Test<'a> {
    loaded: &'a Loaded,
    registry: Registry,
    shop: Shop,
    walk: Walk,
    /// The time of the flow, which waits for nobody.
    steps: Instant,
    /// What was said.
    past: Vec<Message>,
}

/// What a model answered.
struct Answer {
    text: String,
    calls: Vec<ToolCall>,
}

impl Test<'_> {
    /// Walks to the end; whether it was one.
    async fn run(&mut self) -> Result<bool, String> {
        self.handle(Input::Began);
        while let Some(output) = self.walk.poll() {
            match output {
                Output::Entered(node) => println!("[{node}]"),
                Output::Say(line) => {
                    self.say(line);
                    self.handle(Input::Said);
                }
                Output::Ask { node, line } => self.ask(&node, &line).await?,
                Output::Judge(what) => self.judge(&what).await?,
                Output::Record(Recording::Pause) => println!("(pauses the recording)"),
                Output::Record(Recording::Resume) => println!("(goes on recording)"),
                Output::Wait => self.wait(),
                Output::Use { tool, arguments } => self.use_tool(&tool, &arguments).await?,
                Output::Go { to, .. } => return Ok(ends(&format!("goes to {to}"))),
                Output::HandOff(to) => return Ok(ends(&format!("{to} goes on with the call"))),
                Output::End => return Ok(ends("hangs up")),
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

    fn say(&mut self, line: String) {
        if !line.trim().is_empty() {
            println!("agent: {}", line.trim());
            self.past.push(Message::Agent { text: line, interrupted: false });
        }
    }

    fn wait(&mut self) {
        if let Some(until) = self.walk.deadline() {
            let waits = until.saturating_duration_since(self.steps);
            println!("(waits {} ms)", waits.as_millis());
            self.steps = until;
            self.walk.tick(until);
        }
    }

    /// Asks and talks until it is known how the flow goes on, or nobody answers.
    async fn ask(&mut self, node: &str, line: &str) -> Result<(), String> {
        let role = plan::asker(self.walk.name(), node);
        let assistant = self.loaded.posts.get(&role).ok_or("nobody asks at this node")?.clone();
        let scope = self.walk.scope();
        let prompt = assistant.prompt.as_deref().map(|it| template::render_in(it, scope));
        let prompt = prompt.transpose().map_err(|why| why.to_string())?;
        let question = assistant.first_message.clone().unwrap_or_default();
        let line = format!("{line} {question}");
        // A model begins by itself; the rules know nothing of what was said before.
        let mut begins = prompt.is_some() && line.trim().is_empty();
        let since = if prompt.is_some() { 0 } else { self.past.len() };
        self.say(line);
        let tools = casting::tools(&assistant, &self.shop).0;
        loop {
            if !begins && !self.hear()? {
                self.handle(Input::Unanswered);
                return Ok(());
            }
            begins = false;
            let messages = self.past.get(since..).unwrap_or_default().to_vec();
            let request = Request {
                instructions: prompt.clone().unwrap_or_default(),
                messages,
                tools: tools.clone(),
                today: Some(self.loaded.server.machine.timezone.local(clock::since_epoch()).date),
                ..Request::default()
            };
            let answer = self.think(&assistant, request).await?;
            self.say(answer.text);
            for call in answer.calls {
                if let Some(input) = flow::input_of(&call) {
                    self.handle(input);
                    return Ok(());
                }
                begins = true;
                let result = self.used(&tools, &call).await;
                self.past.push(Message::ToolCall(call));
                self.past.push(Message::ToolResult(result));
            }
        }
    }

    /// Hears the caller; `false`: it says nothing.
    fn hear(&mut self) -> Result<bool, String> {
        let Some(said) = heard().map_err(|why| why.to_string())? else {
            println!("caller: (says nothing)");
            return Ok(false);
        };
        println!("caller: {said}");
        let (text, keys) = match said.strip_prefix('#') {
            Some(keys) => (String::new(), keys.to_owned()),
            None => (said, String::new()),
        };
        self.past.push(Message::Caller { text, keys });
        Ok(true)
    }

    async fn judge(&mut self, what: &[String]) -> Result<(), String> {
        let role = plan::judge(self.walk.name());
        let assistant = self.loaded.posts.get(&role).ok_or("nobody judges")?.clone();
        let request = Request {
            instructions: plan::question(what),
            messages: self.past.clone(),
            wanted: Wanted::Summary,
            ..Request::default()
        };
        let found = plan::number_in(&self.think(&assistant, request).await?.text);
        let is = what.get(found.wrapping_sub(1)).map_or("none of the conditions", String::as_str);
        println!("(finds: {is})");
        self.handle(Input::Judged(found));
        Ok(())
    }

    /// Lets the model of a role answer.
    async fn think(
        &self,
        assistant: &Arc<Assistant>,
        mut request: Request,
    ) -> Result<Answer, String> {
        if !request.messages.iter().any(|it| matches!(it, Message::Caller { .. })) {
            let text = plan::NOBODY_YET.to_owned();
            request.messages.push(Message::Caller { text, keys: String::new() });
        }
        let thinker = self.loaded.server.thinker(assistant).unwrap_or("rules");
        let told = |why: crate::providers::error::ProviderError| why.to_string();
        let compiled = casting::compiled(assistant).map_err(told)?;
        let choice = (thinker, &assistant.llm);
        let model = self.registry.model(choice, assistant, &compiled).map_err(told)?;
        model.warm_up().await.map_err(told)?;
        let mut answer = Answer { text: String::new(), calls: Vec::new() };
        let mut thought = model.think(request);
        while let Some(delta) = thought.next().await {
            match delta.map_err(told)? {
                Delta::Text(text) => answer.text.push_str(&text),
                Delta::Tool(call) => answer.calls.push(call),
                Delta::Clause
                | Delta::Used(_)
                | Delta::Done
                | Delta::BrokeOff
                | Delta::Failed
                | Delta::Down => {}
            }
        }
        Ok(answer)
    }

    /// Uses a tool of the flow.
    async fn use_tool(&mut self, name: &str, given: &str) -> Result<(), String> {
        let (id, name, arguments) = ("test".to_owned(), name.to_owned(), given.to_owned());
        let call = ToolCall { id, name, arguments };
        let told = self.shop.tool(&call.name).map(|(_, told)| told.clone());
        let result = self.used(told.as_slice(), &call).await;
        self.handle(Input::Used { result: result.content, failed: result.failed });
        Ok(())
    }

    /// Uses a tool as a call would.
    async fn used(&self, known: &[Tool], call: &ToolCall) -> ToolResult {
        println!("(uses {} {})", call.name, call.arguments);
        let (runs, told) =
            (self.shop.tool(&call.name), known.iter().find(|it| it.name == call.name));
        let result = match (runs, told) {
            (Some((runs, _)), Some(told)) => {
                match arguments::read(&told.parameters, &call.arguments) {
                    Ok(arguments) => {
                        let mut scope = self.walk.scope().clone();
                        scope.set("args", arguments);
                        runs.run(Use { call: call.clone(), scope, at: clock::since_epoch() }).await
                    }
                    Err(why) => call.failed(why),
                }
            }
            (None, Some(_)) => call.failed("a tool of the house: it needs a call"),
            _ => call.failed("there is no such tool"),
        };
        let outcome = if result.failed { "failed" } else { "done" };
        println!("({outcome}: {})", result.content);
        result
    }
}

/// Tells how the flow ended.
fn ends(how: &str) -> bool {
    println!("({how})");
    true
}

/// What the caller says next; `None` is silence, as is the end of the input.
fn heard() -> io::Result<Option<String>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let line = line.trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}
