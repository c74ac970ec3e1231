//! From the tools of the operator's files to those that agents can have used.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::tool::{Handling, Handlings, Tool};
use crate::agent::tools::definition::{Definition, Kind};
use crate::agent::tools::statement::{Dialect, NoStatement, Statement};
use crate::config::mail::Hiding;
use crate::config::settings::Server;
use crate::engine::ai::tools::{Guarded, Toolbox};
use crate::net::tls::{self, TlsError};
use crate::net::web;
use crate::providers::tools::email::{self, Access, Email, Relay, RelayError};
use crate::providers::tools::http::Http;
use crate::providers::tools::mcp::{self, ServerTool};
use crate::providers::tools::seam::{Tool as Runs, Web};
use crate::providers::tools::sql::{Database, Sql};
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
    /// The mail server cannot be had.
    #[error(transparent)]
    Mail(#[from] RelayError),
    /// The authorities that the mail server is held against cannot be read.
    #[error("`{}` cannot be read: {why}", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A database cannot be had.
    #[error("the database `{0}`: {1}")]
    Database(String, String),
    /// A tool asks nothing that can be asked.
    #[error("the tool `{0}`: {1}")]
    Statement(String, NoStatement),
}

/// What tools reach.
struct Reach {
    web: Arc<dyn Web>,
    relay: Option<Arc<Relay>>,
    databases: BTreeMap<String, (Dialect, Arc<Database>)>,
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
        let reach = Reach { web, relay: relay(server)?, databases: databases(server)? };
        for (name, definition) in definitions {
            shop.stock(name, definition.clone(), &reach).await?;
        }
        Ok(shop)
    }

    async fn stock(
        &mut self,
        name: &str,
        definition: Arc<Definition>,
        reach: &Reach,
    ) -> Result<(), ShopError> {
        let web = &reach.web;
        let told = (definition.tool(name), definition.handling());
        let tool: Arc<dyn Runs> = match definition.kind {
            Kind::Http => Arc::new(Http::new(definition, web.clone())),
            Kind::Webhook => Arc::new(Webhook::new(name, definition, web.clone())),
            Kind::Mcp => {
                self.stock_of(name, definition, web).await;
                return Ok(());
            }
            Kind::Email => Arc::new(Email::new(name, definition, reach.relay.clone())),
            Kind::Sql => Arc::new(reach.asks(name, definition)?),
            // Those are done by the call itself.
            Kind::Transfer | Kind::Builtin => return Ok(()),
        };
        self.toolbox.put(name.to_owned(), tool);
        self.goods.insert(name.to_owned(), vec![told]);
        Ok(())
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

impl Reach {
    /// A tool that asks a database.
    fn asks(&self, name: &str, definition: Arc<Definition>) -> Result<Sql, ShopError> {
        let database = &definition.database;
        let missing = || ShopError::Database(database.clone(), "it is not defined".to_owned());
        let (dialect, database) = self.databases.get(database).ok_or_else(missing)?;
        let query = definition.statement().unwrap_or_default();
        let statement = Statement::read(query, &definition.parameters, *dialect);
        let statement = statement.map_err(|why| ShopError::Statement(name.to_owned(), why))?;
        Ok(Sql::new(name, definition, statement, database.clone()))
    }
}

/// Who takes the mails of the house, if anybody.
///
/// # Errors
/// When it could not be asked.
pub fn relay(server: &Server) -> Result<Option<Arc<Relay>>, ShopError> {
    let Some(mail) = &server.mail else { return Ok(None) };
    let authorities = server.sip.tls.ca.as_ref().map(|file| {
        std::fs::read(file).map_err(|why| ShopError::Authorities { file: file.clone(), why })
    });
    let authorities = authorities.transpose()?;
    let access = Access {
        host: &mail.host,
        port: mail.port(),
        hiding: match mail.tls {
            Hiding::Starttls => email::Hiding::Starttls,
            Hiding::Tls => email::Hiding::Tls,
            Hiding::None => email::Hiding::Open,
        },
        login: mail.username.as_deref().zip(mail.password.as_ref()),
        from: &mail.from,
        timeout: mail.timeout,
        authorities: authorities.as_deref(),
    };
    Ok(Some(Arc::new(Relay::new(&access)?)))
}

fn databases(server: &Server) -> Result<BTreeMap<String, (Dialect, Arc<Database>)>, ShopError> {
    let mut databases = BTreeMap::new();
    for (name, it) in &server.databases {
        let wrong = |why: String| ShopError::Database(name.clone(), why);
        let (dialect, database) = match (it.file(), it.dialect()) {
            (Some(file), _) => (Dialect::Sqlite, Database::sqlite(file)),
            (None, Some(dialect)) => {
                (dialect, Database::postgres(&it.url, it.password.as_ref()).map_err(wrong)?)
            }
            (None, None) => return Err(wrong("its `url` is not known".to_owned())),
        };
        databases.insert(name.clone(), (dialect, Arc::new(database)));
    }
    Ok(databases)
}
