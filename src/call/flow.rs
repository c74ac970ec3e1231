//! A flow at work: it walks the nodes, and says what is to be done at each that needs somebody. It
//! has no clock of its own and no session: the conductor seats those who speak, and tells it what
//! came of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Number, Value};

use crate::agent::tool::{ToolCall, names};
use crate::base::destination::{Destination, Mode};
use crate::base::scope::Scope;
use crate::base::template;
use crate::dialplan::flow::{
    FAILED, Flow, Kind, Node, Recording, Way, When, asker, number_in, way_in,
};

/// A flow at work.
#[derive(Debug)]
pub struct Walk {
    name: String,
    flow: Arc<Flow>,
    scope: Scope,
    /// Where it is.
    at: String,
    life: Life,
    /// What is to be said before anything else.
    line: String,
    /// Nodes since somebody outside did something.
    steps: usize,
    /// Questions in a row that nobody answered.
    unanswered: usize,
    out: VecDeque<Output>,
}

/// What the flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nothing: it walks.
    Walking,
    /// That its line was heard, before it does what the node says.
    Speaking,
    /// The values that were asked for, or the way that the caller takes.
    Asking,
    /// What a model finds; without its word, this way is gone.
    Judging(Option<usize>),
    /// Until then.
    Waiting(Instant),
    /// What comes of a tool.
    Using,
    /// What comes of a transfer.
    Transferring,
    /// That the caller was told of a failure.
    Failing,
    /// Nothing more.
    Over,
}

/// What a flow is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The caller is there.
    Began,
    /// The line was heard.
    Said,
    /// The values that were asked for: a JSON object.
    Collected(String),
    /// The caller chose this node, or a model found that it comes next.
    Went(String),
    /// What a model found: the number of what is so, counted from one; 0 is nothing.
    Judged(usize),
    /// Nobody answered, or nothing was understood.
    Unanswered,
    /// What came of the tool.
    Used {
        /// Its result, as text or JSON.
        result: String,
        /// Whether it failed.
        failed: bool,
    },
    /// Nobody took the caller.
    NotReached,
}

/// What a flow orders, and what it notes.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// It came to a node.
    Entered(String),
    /// Say this to the end: `Input::Said`.
    Say(String),
    /// Ask what the node asks for, and begin with this line.
    Ask {
        /// The node.
        node: String,
        /// What is said before the question.
        line: String,
    },
    /// Let a model find which of these is so, the first first: `Input::Judged`.
    Judge(Vec<String>),
    /// Pause the recording, or go on with it.
    Record(Recording),
    /// Nobody speaks for a while.
    Wait,
    /// Use a tool; `Input::Used`.
    Use {
        /// Its name.
        tool: String,
        /// What it is given, as a JSON object.
        arguments: String,
    },
    /// Send the caller there; `Input::NotReached` when nobody takes it.
    Go {
        /// Where.
        to: Destination,
        /// How.
        mode: Mode,
        /// What whoever answers a warm transfer is told; a template.
        brief: Option<String>,
    },
    /// Give the conversation to whoever is there; `Input::NotReached` when nobody is.
    HandOff(Destination),
    /// The flow is over: hang up.
    End,
    /// The flow cannot go on: say so to the caller, `Input::Said`.
    Fail(String),
    /// That was said: hang up.
    Stop,
}

impl Walk {
    /// Takes a flow to its start.
    pub fn new(name: &str, flow: Arc<Flow>, scope: Scope) -> Self {
        let at = flow.start.clone();
        Self {
            name: name.to_owned(),
            flow,
            scope,
            at,
            life: Life::Walking,
            line: String::new(),
            steps: 0,
            unanswered: 0,
            out: VecDeque::new(),
        }
    }

    /// The flow's name in the dialplan.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the flow knows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Something is known from now on.
    pub fn learn(&mut self, name: &str, value: Value) {
        self.scope.set(&format!("vars.{name}"), value);
    }

    /// Something is said before anything else.
    pub fn preface(&mut self, text: &str) {
        text.clone_into(&mut self.line);
    }

    /// Takes something that happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let life = self.life;
        match (life, input) {
            (Life::Walking, Input::Began) => self.enter(now, self.at.clone()),
            (Life::Speaking, Input::Said) => self.act(now),
            (Life::Failing, Input::Said) => {
                self.life = Life::Over;
                self.out.push_back(Output::Stop);
            }
            (Life::Asking, Input::Collected(values)) => {
                self.take(&values);
                (self.steps, self.unanswered) = (0, 0);
                self.go_on(now);
            }
            (Life::Asking, Input::Went(next)) => {
                let leads = self.node().is_some_and(|node| node.leads_to(&next));
                (self.steps, self.unanswered) = (0, 0);
                if leads { self.enter(now, next) } else { self.fail("no way leads there") }
            }
            (Life::Judging(otherwise), Input::Judged(found)) => {
                let judged = self.node().and_then(|node| {
                    let at = node.judged().nth(found.checked_sub(1)?)?.0;
                    otherwise.is_none_or(|otherwise| at < otherwise).then_some(at)
                });
                self.take_way(now, judged.or(otherwise));
            }
            (Life::Asking, Input::Unanswered) => {
                self.unanswered += 1;
                let failed = self.node().and_then(|node| node.failed.clone());
                match failed {
                    _ if self.unanswered > MOST_UNANSWERED => self.fail("nobody answers"),
                    Some(next) => self.enter(now, next),
                    None => self.fail("nobody answered, and the node has no `failed`"),
                }
            }
            (Life::Using, Input::Used { result, failed }) => self.used(now, result, failed),
            (Life::Transferring, Input::NotReached) => {
                let other = self.node().and_then(|node| node.otherwise.clone());
                match other {
                    Some(next) => self.enter(now, next),
                    None => self.fail("nobody took the caller, and the node has no `else`"),
                }
            }
            // What comes too late.
            (
                Life::Walking
                | Life::Speaking
                | Life::Asking
                | Life::Judging(_)
                | Life::Waiting(_)
                | Life::Using
                | Life::Transferring
                | Life::Failing
                | Life::Over,
                _,
            ) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if let Life::Waiting(until) = self.life
            && until <= now
        {
            self.go_on(now);
        }
    }

    /// Takes the next order.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        match self.life {
            Life::Waiting(until) => Some(until),
            Life::Walking
            | Life::Speaking
            | Life::Asking
            | Life::Judging(_)
            | Life::Using
            | Life::Transferring
            | Life::Failing
            | Life::Over => None,
        }
    }

    fn node(&self) -> Option<&Node> {
        self.flow.nodes.get(&self.at)
    }

    /// Whether what a node asks is nobody's business.
    pub fn is_sensitive(&self, node: &str) -> bool {
        self.flow.nodes.get(node).is_some_and(|node| node.sensitive)
    }

    /// Comes to a node.
    fn enter(&mut self, now: Instant, name: String) {
        self.life = Life::Walking;
        self.at = name;
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return self.fail("it goes in a circle in which the caller says nothing");
        }
        self.out.push_back(Output::Entered(self.at.clone()));
        let Some(node) = self.node() else { return self.fail("there is no such node") };
        let kind = node.kind;
        let own = node.text.is_some();
        let free = node.is_free();
        let before = match kind {
            Kind::Say | Kind::Ask | Kind::Agent => node.text.clone(),
            Kind::Tool
            | Kind::Webhook
            | Kind::Transfer
            | Kind::Queue
            | Kind::Voicemail
            | Kind::Handoff
            | Kind::End => node.say.clone(),
            // A menu says its text itself, as often as it must.
            Kind::Menu | Kind::Set | Kind::Branch | Kind::Record | Kind::Wait => None,
        };
        if let Some(text) = before {
            self.add(&text);
        }
        match kind {
            // What is said stands before what comes next.
            Kind::Say | Kind::Branch => self.go_on(now),
            Kind::Set => {
                self.set();
                self.go_on(now);
            }
            // A model begins by itself where the node has no words for it.
            Kind::Ask | Kind::Agent | Kind::Menu if own || !free || self.line.is_empty() => {
                self.ask();
            }
            _ if self.line.is_empty() => self.act(now),
            _ => self.speak(),
        }
    }

    /// Has what stands before the next thing said.
    fn speak(&mut self) {
        self.life = Life::Speaking;
        self.out.push_back(Output::Say(std::mem::take(&mut self.line)));
    }

    /// Does what a node says, once everything before it was heard.
    fn act(&mut self, now: Instant) {
        let Some(node) = self.node() else { return self.fail("there is no such node") };
        match (node.kind, node.target()) {
            (Kind::Wait, _) => {
                self.life = Life::Waiting(now + node.time.unwrap_or_default());
                self.out.push_back(Output::Wait);
            }
            (Kind::Tool | Kind::Webhook, _) => self.use_tool(),
            (Kind::Transfer | Kind::Queue | Kind::Voicemail, Some(to)) => {
                let (mode, brief) = (node.mode, node.brief.clone());
                self.life = Life::Transferring;
                self.out.push_back(Output::Go { to, mode, brief });
            }
            (Kind::Handoff, Some(to)) => {
                self.life = Life::Transferring;
                self.out.push_back(Output::HandOff(to));
            }
            (Kind::Transfer | Kind::Queue | Kind::Voicemail | Kind::Handoff, None) => {
                self.fail("a transfer has no `to`");
            }
            (Kind::Ask | Kind::Agent | Kind::Menu, _) => self.ask(),
            (Kind::Record, _) => {
                self.out.extend(node.recording.map(Output::Record));
                self.go_on(now);
            }
            // What stands before it was heard: now it is decided.
            (Kind::Say | Kind::Set | Kind::Branch, _) => self.go_on(now),
            (Kind::End, _) => {
                self.life = Life::Over;
                self.out.push_back(Output::End);
            }
        }
    }

    fn use_tool(&mut self) {
        let Some(node) = self.node() else { return };
        let tool = match node.kind {
            Kind::Webhook => asker(&self.name, &self.at),
            _ => node.tool.clone().unwrap_or_default(),
        };
        let args = node.args.clone().into_iter();
        let arguments: Map<String, Value> =
            args.map(|(name, value)| (name, self.filled(value))).collect();
        self.life = Life::Using;
        self.out.push_back(Output::Use { tool, arguments: Value::Object(arguments).to_string() });
    }

    /// Takes what came of a tool.
    fn used(&mut self, now: Instant, result: String, failed: bool) {
        let Some(node) = self.node() else { return };
        let (save, error) = (node.save.clone(), node.error.clone());
        if failed {
            return match error {
                Some(next) => self.enter(now, next),
                None => self.fail("the tool failed, and the node has no `error`"),
            };
        }
        if let Some(name) = save {
            let value = serde_json::from_str(&result).unwrap_or(Value::String(result));
            self.scope.set(&format!("vars.{name}"), value);
        }
        self.go_on(now);
    }

    fn ask(&mut self) {
        self.life = Life::Asking;
        let (node, line) = (self.at.clone(), std::mem::take(&mut self.line));
        self.out.push_back(Output::Ask { node, line });
    }

    /// Takes values, each as what its type is.
    fn take(&mut self, values: &str) {
        let values: Map<String, Value> = serde_json::from_str(values).unwrap_or_default();
        let types = self.node().map(|node| node.collect.clone()).unwrap_or_default();
        for (name, kind) in types {
            let Some(value) = values.get(&name) else { continue };
            let Some(text) = value.as_str() else {
                self.learn(&name, value.clone());
                continue;
            };
            let value = match kind.as_str() {
                "number" | "integer" => text.parse::<Number>().map(Value::Number).ok(),
                "boolean" | "yesno" => Some(Value::Bool(text == "yes")),
                _ => None,
            };
            let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
            self.scope.set(&format!("vars.{name}"), value);
        }
    }

    fn set(&mut self) {
        let Some(node) = self.node() else { return };
        for (name, value) in node.set.clone() {
            let value = self.filled(value);
            self.scope.set(&format!("vars.{name}"), value);
        }
    }

    /// Goes the first way whose condition holds. A condition that cannot be told does not hold. Of
    /// what a model must judge it is asked only what stands before that way.
    fn go_on(&mut self, now: Instant) {
        let Some(node) = self.node() else { return };
        let holds = |way: &Way| match &way.when {
            None => true,
            Some(When::Holds(condition)) => condition.holds(&self.scope) == Ok(true),
            Some(When::Judged(_)) => false,
        };
        let sure = node.next.iter().position(holds);
        let open: Vec<String> = node
            .judged()
            .filter(|(at, _)| sure.is_none_or(|sure| *at < sure))
            .map(|(_, what)| what.to_owned())
            .collect();
        if open.is_empty() {
            return self.take_way(now, sure);
        }
        if !self.line.is_empty() {
            return self.speak();
        }
        self.life = Life::Judging(sure);
        self.out.push_back(Output::Judge(open));
    }

    /// Goes the way at this place of `next`.
    fn take_way(&mut self, now: Instant, at: Option<usize>) {
        let way = self.node().and_then(|node| node.next.get(at?));
        match way.map(|way| way.to.clone()) {
            Some(to) => self.enter(now, to),
            None => self.fail("no way leads on"),
        }
    }

    /// Adds to what is said before anything else.
    fn add(&mut self, text: &str) {
        let text = self.rendered(text);
        if !self.line.is_empty() && !text.is_empty() {
            self.line.push(' ');
        }
        self.line.push_str(text.trim());
    }

    /// A value; a text with its values.
    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.rendered(&text)),
            other => other,
        }
    }

    /// A text with its values; one that fails was refused by `check`, and is said as it is.
    fn rendered(&self, text: &str) -> String {
        template::render_in(text, &self.scope).unwrap_or_else(|_| text.to_owned())
    }

    fn fail(&mut self, why: &str) {
        self.life = Life::Failing;
        let why = format!("node `{}`: {why}", self.at);
        self.out.push_back(Output::Fail(why));
    }
}

/// What an agent at a node tells the flow by a call of a tool, if it tells it anything.
pub fn input_of(call: &ToolCall) -> Option<Input> {
    let to = call.argument("to");
    match call.name.as_str() {
        names::SAID => Some(Input::Said),
        names::COLLECT => Some(Input::Collected(call.arguments.clone())),
        names::GO_ON => Some(Input::Went(to.unwrap_or_default())),
        names::JUDGED => Some(Input::Judged(number_in(&to.unwrap_or_default()))),
        names::TRANSFER_CALL => match way_in(to.as_deref()?)? {
            FAILED => Some(Input::Unanswered),
            node => Some(Input::Went(node.to_owned())),
        },
        _ => None,
    }
}

/// How many questions in a row may go without an answer.
const MOST_UNANSWERED: usize = 4;

/// How many nodes follow each other without a word of the caller.
const MOST_STEPS: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn go(to: &str) -> Output {
        Output::Go { to: to.parse().expect("a phone"), mode: Mode::Blind, brief: None }
    }

    fn walk(nodes: &str) -> Walk {
        let text = format!("agent = \"desk\"\nstart = \"a\"\n{nodes}");
        let flow: Flow = toml::from_str(&text).expect("it reads");
        Walk::new("test", Arc::new(flow), Scope::default())
    }

    fn drain(walk: &mut Walk) -> Vec<Output> {
        std::iter::from_fn(|| walk.poll()).collect()
    }

    fn entered(node: &str) -> Output {
        Output::Entered(node.to_owned())
    }

    #[test]
    fn what_is_said_stands_before_the_question_and_values_decide_the_way() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"say\"\ntext = \"Hello {{ vars.who }}.\"\nnext = \"b\"\n\
             [nodes.b]\ntype = \"ask\"\ntext = \"When?\"\ncollect = { day = \"date\" }\n\
             next = [{ when = \"vars.day == 'x'\", to = \"c\" }, { to = \"d\" }]\nfailed = \"d\"\n\
             [nodes.c]\ntype = \"end\"\n[nodes.d]\ntype = \"end\"\nsay = \"Bye, {{ vars.day }}.\"\n",
        );
        let now = Instant::now();
        walk.scope.set("vars.who", "Anna");
        walk.handle(now, Input::Began);
        let out = drain(&mut walk);
        assert_eq!(out[..2], [entered("a"), entered("b")]);
        let (node, line) = ("b".to_owned(), "Hello Anna. When?".to_owned());
        assert_eq!(out[2], Output::Ask { node, line });
        walk.handle(now, Input::Said);
        assert_eq!(drain(&mut walk), [], "that was no answer");
        walk.handle(now, Input::Collected(r#"{"day": "Monday", "evil": 1}"#.to_owned()));
        assert_eq!(drain(&mut walk), [entered("d"), Output::Say("Bye, Monday.".to_owned())]);
        walk.handle(now, Input::Said);
        assert_eq!(drain(&mut walk), [Output::End]);
        walk.handle(now, Input::Said);
        assert_eq!(drain(&mut walk), []);
    }

    #[test]
    fn a_wait_is_over_in_time_and_set_sets() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"set\"\nset = { n = 2, t = \"{{ vars.n }}!\" }\nnext = \"b\"\n\
             [nodes.b]\ntype = \"wait\"\nfor = \"2s\"\nnext = \"c\"\n\
             [nodes.c]\ntype = \"branch\"\nnext = [{ when = \"vars.n == 2\", to = \"d\" }]\n\
             [nodes.d]\ntype = \"end\"\n",
        );
        let now = Instant::now();
        walk.handle(now, Input::Began);
        assert_eq!(drain(&mut walk), [entered("a"), entered("b"), Output::Wait]);
        let due = now + Duration::from_secs(2);
        assert_eq!(walk.deadline(), Some(due));
        walk.tick(now);
        assert_eq!(drain(&mut walk), []);
        walk.tick(due);
        assert_eq!(drain(&mut walk), [entered("c"), entered("d"), Output::End]);
        assert_eq!((walk.deadline(), walk.scope.get("vars.n")), (None, Some(&json!(2))));
    }

    #[test]
    fn who_is_not_reached_and_who_does_not_answer_goes_elsewhere() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"ask\"\ncollect = { n = \"digits\" }\nask = { n = \"Which?\" }\n\
             next = \"b\"\nfailed = \"b\"\n\
             [nodes.b]\ntype = \"transfer\"\nsay = \"One moment.\"\nto = \"phone:101\"\nelse = \"c\"\n\
             [nodes.c]\ntype = \"transfer\"\nto = \"phone:102\"\n",
        );
        let now = Instant::now();
        walk.handle(now, Input::Began);
        drain(&mut walk);
        walk.handle(now, Input::Unanswered);
        assert_eq!(drain(&mut walk), [entered("b"), Output::Say("One moment.".to_owned())]);
        walk.handle(now, Input::Said);
        assert_eq!(drain(&mut walk), [go("phone:101")]);
        walk.handle(now, Input::NotReached);
        let to = go("phone:102");
        assert_eq!(drain(&mut walk), [entered("c"), to]);
        walk.handle(now, Input::NotReached);
        assert!(matches!(drain(&mut walk).as_slice(), [Output::Fail(_)]));
    }

    #[test]
    fn a_tool_is_given_what_is_known_and_its_result_decides() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"tool\"\ntool = \"slots\"\nargs = { day = \"{{ vars.day }}\", most = 3 }\n\
             save = \"slots\"\nsay = \"One moment.\"\nerror = \"c\"\n\
             next = [{ when = \"size(vars.slots) == 0\", to = \"c\" }, { to = \"b\" }]\n\
             [nodes.b]\ntype = \"end\"\nsay = \"{{ vars.slots[0] }}?\"\n[nodes.c]\ntype = \"end\"\n",
        );
        let now = Instant::now();
        walk.scope.set("vars.day", "Mon\"day");
        walk.handle(now, Input::Began);
        assert_eq!(drain(&mut walk), [entered("a"), Output::Say("One moment.".to_owned())]);
        walk.handle(now, Input::Said);
        let arguments = r#"{"day":"Mon\"day","most":3}"#.to_owned();
        assert_eq!(drain(&mut walk), [Output::Use { tool: "slots".to_owned(), arguments }]);
        let result = r#"["10:00"]"#.to_owned();
        walk.handle(now, Input::Used { result, failed: false });
        assert_eq!(drain(&mut walk), [entered("b"), Output::Say("10:00?".to_owned())]);
    }

    #[test]
    fn a_model_is_asked_only_about_ways_before_one_that_is_sure() {
        let nodes = "[nodes.a]\ntype = \"branch\"\nnext = [\n\
             { when = \"vars.n == 1\", to = \"b\" }, { when = \"ai: it rains\", to = \"c\" },\n\
             { when = \"vars.n == 2\", to = \"b\" }, { when = \"ai: it snows\", to = \"c\" },\n\
             { when = \"ai: it hails\", to = \"d\" }]\n\
             [nodes.b]\ntype = \"end\"\n[nodes.c]\ntype = \"end\"\n[nodes.d]\ntype = \"end\"\n";
        for (n, asked, answer, end) in [
            (1, &[][..], 0, "b"),
            (2, &["it rains"][..], 1, "c"),
            (2, &["it rains"], 0, "b"),
            // Nobody asked about the second.
            (2, &["it rains"], 2, "b"),
            (3, &["it rains", "it snows", "it hails"], 3, "d"),
        ] {
            let (mut walk, now) = (walk(nodes), Instant::now());
            walk.scope.set("vars.n", n);
            walk.handle(now, Input::Began);
            let out = drain(&mut walk);
            if !asked.is_empty() {
                let asked = asked.iter().map(|it| (*it).to_owned()).collect();
                assert_eq!(out, [entered("a"), Output::Judge(asked)], "{n}");
                walk.handle(now, Input::Judged(answer));
            }
            let out: Vec<Output> = out.into_iter().chain(drain(&mut walk)).collect();
            assert_eq!(out[out.len() - 2..], [entered(end), Output::End], "{n} {answer}");
        }
        let mut walk = walk(nodes);
        walk.handle(Instant::now(), Input::Began);
        walk.handle(Instant::now(), Input::Judged(0));
        assert!(matches!(drain(&mut walk).last(), Some(Output::Fail(_))));
    }

    #[test]
    fn a_conversation_ends_by_its_exits_only_and_is_handed_on() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"say\"\ntext = \"Hello.\"\nnext = \"b\"\n\
             [nodes.b]\ntype = \"agent\"\nprompt = \"Talk.\"\n\
             exits = [{ when = \"ai: all is said\", to = \"c\" }]\n\
             [nodes.c]\ntype = \"menu\"\ntext = \"One?\"\ndigits = { 1 = \"d\" }\nfailed = \"d\"\n\
             [nodes.d]\ntype = \"record\"\nrecording = \"pause\"\nnext = \"e\"\n\
             [nodes.e]\ntype = \"handoff\"\nto = \"agent:desk\"\n",
        );
        let now = Instant::now();
        walk.handle(now, Input::Began);
        // The model begins by itself, after what stands before it.
        let hello = Output::Say("Hello.".to_owned());
        assert_eq!(drain(&mut walk), [entered("a"), entered("b"), hello]);
        walk.handle(now, Input::Said);
        let asks =
            |node: &str, line: &str| Output::Ask { node: node.to_owned(), line: line.to_owned() };
        assert_eq!(drain(&mut walk), [asks("b", "")]);
        walk.handle(now, Input::Went("c".to_owned()));
        assert_eq!(drain(&mut walk), [entered("c"), asks("c", "")]);
        walk.handle(now, Input::Unanswered);
        let desk = Output::HandOff("agent:desk".parse().expect("an agent"));
        let record = Output::Record(Recording::Pause);
        assert_eq!(drain(&mut walk), [entered("d"), record, entered("e"), desk]);
    }

    #[test]
    fn nobody_goes_where_no_way_leads() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"agent\"\nprompt = \"Talk.\"\n\
             exits = [{ when = \"ai: all is said\", to = \"b\" }]\n[nodes.b]\ntype = \"end\"\n\
             [nodes.c]\ntype = \"end\"\n",
        );
        walk.handle(Instant::now(), Input::Began);
        walk.handle(Instant::now(), Input::Went("c".to_owned()));
        assert!(matches!(drain(&mut walk).last(), Some(Output::Fail(_))));
    }

    #[test]
    fn what_an_agent_calls_is_what_the_flow_is_told() {
        let told = |name: &str, arguments: &str| {
            let (id, name) = (String::new(), name.to_owned());
            input_of(&ToolCall { id, name, arguments: arguments.to_owned() })
        };
        assert_eq!(told("said", "{}"), Some(Input::Said));
        assert_eq!(told("go_on", r#"{"to": "b"}"#), Some(Input::Went("b".to_owned())));
        assert_eq!(told("judged", r#"{"to": "It is 2."}"#), Some(Input::Judged(2)));
        assert_eq!(told("judged", r#"{"to": "none"}"#), Some(Input::Judged(0)));
        assert_eq!(told("transfer_call", r#"{"to": "flow:"}"#), Some(Input::Unanswered));
        let went = Some(Input::Went("b".to_owned()));
        assert_eq!(told("transfer_call", r#"{"to": "flow:b"}"#), went);
        assert_eq!(told("transfer_call", r#"{"to": "sales"}"#), None);
        assert_eq!(told("book", "{}"), None);
    }

    #[test]
    fn a_circle_without_a_word_of_the_caller_ends() {
        let mut walk = walk(
            "[nodes.a]\ntype = \"set\"\nset = { n = 1 }\nnext = \"b\"\n\
             [nodes.b]\ntype = \"branch\"\nnext = [{ when = \"vars.m > 1\", to = \"a\" }, { to = \"a\" }]\n",
        );
        walk.handle(Instant::now(), Input::Began);
        let out = drain(&mut walk);
        assert_eq!(out.len(), MOST_STEPS + 1);
        assert!(matches!(out.last(), Some(Output::Fail(why)) if why.contains("circle")));
    }
}
