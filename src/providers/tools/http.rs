//! A tool that is a request of the operator's making.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::seam::{Found, Lost, Tool, Use, Web, shown};
use crate::agent::tool::ToolResult;
use crate::agent::tools::definition::{Definition, RETRY_PAUSE};
use crate::agent::tools::outcome;
use crate::agent::tools::request::{self, Request};

/// The tool.
#[derive(Clone)]
pub struct Http {
    definition: Arc<Definition>,
    web: Arc<dyn Web>,
}

/// How often and how patiently something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tries {
    pub timeout: Duration,
    /// How often again.
    pub again: u32,
}

impl Http {
    /// A tool of this definition.
    pub fn new(definition: Arc<Definition>, web: Arc<dyn Web>) -> Self {
        Self { definition, web }
    }
}

impl Tool for Http {
    fn run(&self, used: Use) -> BoxFuture<'static, ToolResult> {
        let Self { definition, web } = self.clone();
        async move {
            let request = match request::request(&definition, &used.scope) {
                Ok(request) => request,
                Err(why) => return used.call.failed(format!("the tool is not well set up: {why}")),
            };
            let answer = match ask(&*web, request, Tries::of(&definition)).await {
                Ok(found) => outcome::read(&found.reply, definition.result.as_ref()),
                Err(lost) => Err(format!("the service gave no answer: {}", lost.why)),
            };
            match answer {
                Ok(content) => used.call.done(content),
                Err(why) => used.call.failed(why),
            }
        }
        .boxed()
    }

    fn changes(&self) -> bool {
        self.definition.changes()
    }

    fn preview(&self, used: &Use) -> Result<String, String> {
        let request = request::request(&self.definition, &used.scope);
        request.map(|request| shown(&request)).map_err(|why| why.to_string())
    }
}

impl Tries {
    pub fn of(definition: &Definition) -> Self {
        let again = if definition.is_repeatable() { definition.retry } else { 0 };
        Self { timeout: definition.timeout, again }
    }
}

/// Asks until there is an answer that will not change, or nobody wants to wait any more.
pub(super) async fn ask(web: &dyn Web, request: Request, tries: Tries) -> Result<Found, Lost> {
    let mut tried = 0;
    loop {
        let answer = web.ask(request.clone(), tries.timeout).await;
        let may_mend = match &answer {
            Ok(found) => matches!(found.reply.status, 429 | 502..=504),
            Err(lost) => lost.passing,
        };
        if !may_mend || tried >= tries.again {
            return answer;
        }
        tried += 1;
        tokio::time::sleep(RETRY_PAUSE * tried).await;
    }
}
