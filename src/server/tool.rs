//! `voxtrunk tool run`: uses one tool as a call would, and shows what is asked and what a model
//! would be told.

use std::path::Path;
use std::process::ExitCode;

use crate::agent::tool::ToolCall;
use crate::agent::tools::arguments;
use crate::base::scope::Scope;
use crate::engine::clock;
use crate::providers::tools::seam::Use;
use crate::server::assembly::{self, Show};
use crate::server::serve;
use crate::server::tools::Shop;

/// Uses a tool; fails when it does.
pub fn run(config: &Path, name: &str, arguments: &str) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let used = async {
        let shop =
            Shop::open(&loaded.tools, &loaded.server).await.map_err(|why| why.to_string())?;
        let (runs, told) = shop.tool(name).ok_or_else(|| unknown(name, &shop))?;
        let given = arguments::read(&told.parameters, arguments)?;
        let call = ToolCall {
            id: "test".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        let mut scope = Scope::default();
        scope.set("args", given);
        for (path, value) in CALL {
            scope.set(path, value);
        }
        scope.set("tool.name", name);
        scope.set("tool.call_id", call.id.as_str());
        let used = Use { call, scope, at: clock::since_epoch() };
        println!("{}", runs.preview(&used)?);
        let result = runs.run(used).await;
        let outcome = if result.failed { "failed" } else { "done" };
        println!("{outcome}; a model is told:\n{}", result.content);
        Ok(!result.failed)
    };
    match serve::block_on(used) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => serve::finish(Err(why)),
    }
}

fn unknown(name: &str, shop: &Shop) -> String {
    let known: Vec<&str> = shop.names().collect();
    match known.as_slice() {
        [] => format!("there is no tool `{name}`, nor any other under [tools.NAME]"),
        known => format!("there is no tool `{name}`; tools: {}", known.join(", ")),
    }
}

/// What templates are told of a call that there is not.
pub const CALL: [(&str, &str); 5] = [
    ("call.id", "test"),
    ("call.from", "+4971112345"),
    ("call.to", "+4971112340"),
    ("caller", "+4971112345"),
    ("called", "+4971112340"),
];
