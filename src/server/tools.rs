//! From the tools of the operator's files to those that agents can have used.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::tool::{Handling, Handlings, Tool};
use crate::agent::tools::definition::{Definition, Kind};
use crate::config::settings::Server;
use crate::engine::ai::tools::{Guarded, Toolbox};
use crate::net::tls::{self, TlsError};
use crate::net::web;
use crate::providers::tools::http::Http;
use crate::providers::tools::mcp::{self, ServerTool};
use crate::providers::tools::seam::{Tool as Runs, Web};
use crate::providers::tools::webhook::Webhook;

/// The tools that there are.
#[derive(Debug, Default)]
pub struct Shop {
    /// Who runs them, by the names that models call them.
    pub toolbox: Toolbox,
    /// What a model is told of them, by the names in the files; a server may have several.
    goods: BTreeMap<String, Vec<(Tool, Handling)>>,
}

/// Why there are no tools.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client cannot be had.
    #[error("no client for tools: {0}")]
    Client(#[from] reqwest::Error),
}

impl Shop {
    /// Readies the tools.
    ///
    /// # Errors
    /// When nothing can be asked.
    pub async fn open(
        definitions: &BTreeMap<String, Arc<Definition>>,
        server: &Server,
    ) -> Result<Self, ShopError> {
        let mut shop = Self::default();
        if definitions.is_empty() {
            return Ok(shop);
        }
        let files = tls::Files { identity: None, authorities: server.sip.tls.ca.clone() };
        let allowed = server.security.tools.allow.clone();
        let web = web::Web::new(allowed, &tls::Client::load(files)?)?;
        let web: Arc<dyn Web> = Arc::new(Guarded(web));
        for (name, definition) in definitions {
            shop.stock(name, definition.clone(), &web).await;
        }
        Ok(shop)
    }

    async fn stock(&mut self, name: &str, definition: Arc<Definition>, web: &Arc<dyn Web>) {
        let told = (definition.tool(name), definition.handling());
        let tool: Arc<dyn Runs> = match definition.kind {
            Kind::Http => Arc::new(Http::new(definition, web.clone())),
            Kind::Webhook => Arc::new(Webhook::new(name, definition, web.clone())),
            Kind::Mcp => return self.stock_of(name, definition, web).await,
        };
        self.toolbox.put(name.to_owned(), tool);
        self.goods.insert(name.to_owned(), vec![told]);
    }

    /// Takes over the tools of a server. One that is away costs its tools only.
    async fn stock_of(&mut self, name: &str, definition: Arc<Definition>, web: &Arc<dyn Web>) {
        let server = Arc::new(mcp::Server::new(name, definition.clone(), web.clone()));
        let listed = server.list().await.unwrap_or_else(|why| {
            tracing::warn!(tool = name, %why, "the server of these tools is not there");
            Vec::new()
        });
        let mut told = Vec::new();
        for listed in listed {
            let tool = ServerTool::new(server.clone(), &listed);
            self.toolbox.put(listed.tool.name.clone(), Arc::new(tool));
            told.push((listed.tool, definition.handling()));
        }
        self.goods.insert(name.to_owned(), told);
    }

    /// Who runs a tool, and what a model is told of it.
    pub fn tool(&self, name: &str) -> Option<(&Arc<dyn Runs>, &Tool)> {
        let told = self.goods.values().flatten().map(|(tool, _)| tool);
        Some((self.toolbox.get(name)?, told.into_iter().find(|tool| tool.name == name)?))
    }

    /// The names that models call tools.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.goods.values().flatten().map(|(tool, _)| tool.name.as_str())
    }

    /// Gives the tools of these names to a model; tells how they are handled.
    pub fn sell(&self, names: &[String], tools: &mut Vec<Tool>) -> Handlings {
        let wanted = names.iter().filter_map(|name| self.goods.get(name)).flatten();
        let mut handlings = Handlings::new();
        for (tool, handling) in wanted {
            tools.push(tool.clone());
            handlings.insert(tool.name.clone(), handling.clone());
        }
        handlings
    }
}
