//! Who keeps what programs make, and has the files say it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::base::url::Host;
use crate::config::editing::kind::Kind as Written;
use crate::engine::clock;
use crate::server::control::clerk::Clerk;
use crate::server::control::edits::Finding;
use crate::server::control::times::timestamp;
use crate::server::http::vapi::refusal::Refusal;
use crate::server::vapi::drawer::{Drawer, Kept, Kind, Stamp};
use crate::server::vapi::ledger::Ledger;
use crate::server::vapi::making::{self, Made, Terms};

/// Where what programs make is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether assistants work by the engines of this machine, whichever vendors they name.
    pub local: bool,
    /// The folder of the dialplans.
    pub dialplans: PathBuf,
    /// The file in which it stands what was made.
    pub drawer: PathBuf,
    /// Hosts that tools may reach though they are not on the public internet.
    pub allowed: Vec<Host>,
    /// How this door is reached from outside, if that is known.
    pub public_url: Option<String>,
    /// What is known of calls beside themselves.
    pub ledger: Ledger,
}

/// Keeps what programs make.
#[derive(Debug)]
pub struct Front {
    settings: Settings,
    /// Whether the door has a certificate.
    https: bool,
    /// What was made. Whoever changes it holds it until the files say so, and the others wait.
    drawer: tokio::sync::Mutex<Result<Drawer, String>>,
    /// What is known of calls beside themselves.
    pub ledger: Ledger,
}

/// Beside what something new is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// What others wrote: what was made here is made anew.
    Others,
    /// Everything.
    All,
}

/// What a change came to.
#[derive(Debug)]
pub struct Changed {
    /// What is kept now.
    pub drawer: Drawer,
    /// What is otherwise than it was said, and what the check says.
    pub made: Made,
    /// What the check says now and did not say before.
    pub warnings: Vec<Finding>,
}

impl Front {
    /// Reads what was made before.
    pub fn open(settings: Settings, https: bool) -> Self {
        let drawer = Drawer::read(&settings.drawer).map_err(|why| {
            let path = settings.drawer.display();
            tracing::error!(%path, %why, "what programs made through /vapi cannot be read");
            format!("`{path}` cannot be read: {why}")
        });
        let ledger = settings.ledger.clone();
        Self { settings, https, drawer: tokio::sync::Mutex::new(drawer), ledger }
    }

    /// What was made.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn drawer(&self) -> Result<Drawer, Refusal> {
        self.drawer.lock().await.clone().map_err(Refusal::unfit)
    }

    /// Changes what is made, and has the files say so; either both or nothing.
    ///
    /// # Errors
    /// With what is wrong, for whoever wants it.
    pub async fn change(
        &self,
        clerk: &Clerk,
        change: impl FnOnce(&mut Drawer, &BTreeSet<String>) -> Result<(), Refusal>,
    ) -> Result<Changed, Refusal> {
        let mut now = self.drawer.lock().await;
        let before = now.clone().map_err(Refusal::unfit)?;
        let (file, terms) = (self.file()?, self.terms(clerk, Beside::Others).await?);
        let mut drawer = before.clone();
        change(&mut drawer, &terms.taken)?;
        if let Some((who, what)) = drawer.lost() {
            return Err(Refusal::wrong(format!("{who} names `{what}`, which is not there")));
        }
        let (drawer, made) = beside(move || {
            let made = making::made(&drawer, &terms);
            (drawer, made)
        })
        .await?;
        let made = made.map_err(Refusal::wrong)?;
        self.keep(&drawer).await?;
        match clerk.laid(file, made.text.clone()).await {
            Ok(warnings) => {
                *now = Ok(drawer.clone());
                Ok(Changed { drawer, made, warnings })
            }
            Err(rejected) => {
                self.keep(&before).await?;
                Err(rejected.into())
            }
        }
    }

    /// What there is beside what was made here, or what there is in all.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub async fn terms(&self, clerk: &Clerk, beside: Beside) -> Result<Terms, Refusal> {
        let own = self.settings.dialplans.join(FILE);
        let own = own.canonicalize().unwrap_or(own);
        let is_own = |file: &str| {
            beside == Beside::Others && Path::new(file).canonicalize().is_ok_and(|it| it == own)
        };
        let mut taken = BTreeSet::new();
        for kind in [Written::Agents, Written::Squads, Written::Flows, Written::Tools] {
            let all = clerk.looked(kind, None).await?;
            taken.extend(all.into_iter().filter(|it| !is_own(&it.file)).filter_map(|it| it.name));
        }
        let Settings { local, allowed, .. } = &self.settings;
        Ok(Terms { local: *local, taken, allowed: allowed.clone() })
    }

    /// Where the files are that say it.
    fn file(&self) -> Result<PathBuf, Refusal> {
        let folder = &self.settings.dialplans;
        let found = folder.canonicalize().ok().filter(|it| it.is_dir());
        found.map(|it| it.join(FILE)).ok_or_else(|| {
            let what = folder.display();
            Refusal::unfit(format!("`{what}` is no folder: [server] dialplans must name one"))
        })
    }

    async fn keep(&self, drawer: &Drawer) -> Result<(), Refusal> {
        let (path, drawer) = (self.settings.drawer.clone(), drawer.clone());
        let kept = beside(move || drawer.write(&path)).await?;
        kept.map_err(|why| Refusal::unfit(format!("it cannot be written down: {why}")))
    }

    /// How this server is reached: as the settings say, or else as whoever asks names it; empty
    /// when neither says.
    pub fn base(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.clone();
        }
        let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
        let is_plain =
            |it: &&str| it.bytes().all(|it| it.is_ascii_alphanumeric() || b".-:[]".contains(&it));
        let Some(host) = host.filter(is_plain) else { return String::new() };
        let forwarded = headers.get("x-forwarded-proto").is_some_and(|it| it == "https");
        let scheme = if self.https || forwarded { "https" } else { "http" };
        format!("{scheme}://{host}")
    }
}

/// Something new.
pub fn stamp() -> Stamp {
    let mut octets = [0; 16];
    clock::random().fill(&mut octets);
    let id = uuid::Builder::from_random_bytes(octets).into_uuid().to_string();
    Stamp { id, at: now() }
}

/// The time (RFC 3339).
pub fn now() -> String {
    timestamp(clock::since_epoch())
}

/// A thing as it is told: what was said, and what came of it here.
pub fn told(kept: &Kept, more: Option<Value>) -> Value {
    let mut says = kept.says.clone();
    if let Some(more) = more {
        says.insert("voxtrunk".to_owned(), more);
    }
    Value::Object(says)
}

/// What came of something that was changed.
pub fn outcome(changed: &Changed, kind: Kind, id: &str) -> Value {
    let all = changed.drawer.all(kind);
    let place = all.iter().position(|it| it.id() == id).unwrap_or_default();
    let name = all.get(place).and_then(|it| it.name.as_deref());
    json!({
        "name": name,
        "unmapped": making::about(&changed.made.remarks, kind, place),
        "warnings": changed.warnings.iter().map(|it| &it.message).collect::<Vec<_>>(),
    })
}

/// Works beside the calls.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::unfit("it could not be thought through; this is a bug"))
}

/// The file of what was made, among the dialplans.
const FILE: &str = "vapi.toml";
