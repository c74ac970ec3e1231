//! A tool at work in a call: its result is posted to the call, whoever still waits for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::agent::tool::{ToolCall, ToolResult};
use crate::agent::tools::outcome::Reply;
use crate::agent::tools::request::Request;
use crate::base::scope::Scope;
use crate::call::event::Input;
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
use crate::net::web::{self, Asking, WebError};
use crate::providers::tools::seam::{Found, Lost, Tool, Use, Web};

/// The tools of the operator, by the names that models call them.
#[derive(Clone, Default)]
pub struct Toolbox(BTreeMap<String, Arc<dyn Tool>>);

impl Toolbox {
    /// Puts a tool in.
    pub fn put(&mut self, name: String, tool: Arc<dyn Tool>) {
        self.0.insert(name, tool);
    }

    /// The tool of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.get(name)
    }

    /// Uses a tool.
    pub fn used(&self, call: ToolCall, scope: Scope) -> Work {
        let Some(tool) = self.0.get(&call.name) else {
            let result = call.failed("there is no such tool");
            return Work { changes: false, done: std::future::ready(result).boxed() };
        };
        let used = Use { call, scope, at: clock::since_epoch() };
        Work { changes: tool.changes(), done: tool.run(used) }
    }
}

/// A tool that runs.
pub struct Work {
    /// Whether it changes something, so that it is finished when the caller hangs up.
    pub changes: bool,
    done: BoxFuture<'static, ToolResult>,
}

impl Work {
    /// Runs it to its end.
    pub async fn finished(self) -> ToolResult {
        self.done.await
    }

    /// Runs it to its end, and tells the call.
    pub fn told(self, mailbox: Mailbox) -> BoxFuture<'static, ()> {
        async move {
            let result = self.done.await;
            // A call that is gone needs no result.
            mailbox.deliver(Input::ToolDone(result)).await.ok();
        }
        .boxed()
    }
}

/// The web as tools reach it.
#[derive(Debug, Clone)]
pub struct Guarded(pub web::Web);

impl Web for Guarded {
    fn ask(&self, request: Request, timeout: Duration) -> BoxFuture<'static, Result<Found, Lost>> {
        let web = self.0.clone();
        async move {
            let Request { method, url, headers, body } = request;
            let asking = Asking { method: method.name(), url, headers, body, timeout };
            match web.ask(asking).await {
                Ok(found) => {
                    let (status, media_type) = (found.status, found.media_type);
                    let reply = Reply { status, media_type, body: found.body };
                    Ok(Found { reply, headers: found.headers })
                }
                Err(why) => {
                    let passing = matches!(why, WebError::Failed(_));
                    Err(Lost { why: why.to_string(), passing })
                }
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
