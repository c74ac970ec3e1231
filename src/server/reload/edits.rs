//! Edits of the files by programs: thought through, checked as a whole, written, and taken; one after
//! the other, and each of them as a whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::diagnostic::Severity;
use crate::config::editing::cabinet::{Cabinet, Edit};
use crate::config::editing::kind::Kind;
use crate::config::editing::pieces;
use crate::config::editing::wish::{Refused, Wish};
use crate::config::editing::writing::replace;
use crate::config::load::{self, Loaded, Origin};
use crate::config::report;
use crate::engine::playbill::Playbill;
use crate::server::control::edits::{
    DifferenceView, EditedView, Finding, Rejected, RestoredView, StateView, ThingView, findings,
};
use crate::server::control::times::timestamp;
use crate::server::history::{History, Restored, State};
use crate::server::inspection::Inspection;
use crate::server::reload::Reloader;

/// What files are thought to say, by their paths.
type Instead = BTreeMap<PathBuf, Option<String>>;

impl Reloader {
    /// What stands in the files.
    pub(super) async fn look(
        &self,
        kind: Kind,
        name: Option<String>,
    ) -> Result<Vec<ThingView>, Rejected> {
        let (config, salt) = (self.config.clone(), self.salt.clone());
        beside(move || {
            let cabinet = cabinet(config, &salt)?;
            let things = match name {
                Some(name) => vec![cabinet.one(kind, &name)?],
                None => cabinet.all(kind),
            };
            Ok(things.into_iter().map(ThingView::from).collect())
        })
        .await
    }

    /// Changes something in the files.
    pub(super) async fn edit(&mut self, wish: Wish, dry: bool) -> Result<EditedView, Rejected> {
        let (config, salt) = (self.config.clone(), self.salt.clone());
        let thought = move || {
            let edit = cabinet(config.clone(), &salt)?.edit(wish)?;
            let draft = edit.draft.iter();
            let instead = draft.map(|it| (it.path.clone(), Some(it.after.clone()))).collect();
            let loaded = read(config, instead)?;
            Ok((edit, loaded))
        };
        let (edit, loaded) = beside(thought).await?;
        let Edit { draft, thing, said } = edit;
        let view = self.prospect(&loaded, dry);
        let view = EditedView {
            created: said.is_none(),
            thing: thing.map(ThingView::from),
            said,
            changed: view.changed,
            restart: view.restart,
            warnings: self.new_warnings(&loaded),
            dry,
        };
        if dry {
            return Ok(view);
        }
        // First of all whether it can be: nothing is written that the server would not take.
        let playbill = self.playbill(&loaded).await.map_err(Rejected::Unfit)?;
        if let Some(draft) = draft {
            beside(move || Ok(draft.write()?)).await?;
        }
        self.take(loaded, playbill).await;
        Ok(view)
    }

    /// Lets a whole file of dialplans say something else. Tells what the check says now and did not
    /// say before.
    pub(super) async fn lay(
        &mut self,
        path: PathBuf,
        text: String,
    ) -> Result<Vec<Finding>, Rejected> {
        let (config, instead) =
            (self.config.clone(), Instead::from([(path.clone(), Some(text.clone()))]));
        let loaded = beside(move || read(config, instead)).await?;
        let warnings = self.new_warnings(&loaded);
        let playbill = self.playbill(&loaded).await.map_err(Rejected::Unfit)?;
        beside(move || replace(&path, text.as_bytes()).map_err(|why| unwritten(&path, &why)))
            .await?;
        self.take(loaded, playbill).await;
        Ok(warnings)
    }

    /// What a call would be given if the dialplans said something more. It counts for nobody else.
    pub(super) async fn cast(&self, text: String) -> Result<Arc<Playbill>, Rejected> {
        let config = self.config.clone();
        let there = Origin::Path(self.now.0.server.machine.dialplans.clone());
        let more = Origin::Text { name: "for this call".to_owned(), text };
        let thought = move || {
            let environment = |name: &str| std::env::var(name).ok();
            let dialplans = vec![there, more];
            let request = load::Request { dialplans, ..report::request(&[config]) };
            without_mistakes(load::load(&request, &environment, &Inspection))
        };
        let loaded = beside(thought).await?;
        self.playbill(&loaded).await.map_err(Rejected::Unfit)
    }

    /// The states of the files that are kept.
    pub(super) async fn states(&self) -> Result<Vec<StateView>, Rejected> {
        let history = self.history.clone();
        beside(move || {
            let states = kept(&history)?;
            let view = |(number, state): (usize, &State)| StateView {
                at: named(state),
                changed: state.changed_since(states.get(number + 1)),
                current: number == 0,
            };
            Ok(states.iter().enumerate().map(view).collect())
        })
        .await
    }

    /// What is otherwise in one state than in another.
    pub(super) async fn differ(
        &self,
        from: Option<String>,
        to: Option<String>,
    ) -> Result<Vec<DifferenceView>, Rejected> {
        let (history, config) = (self.history.clone(), self.config.clone());
        beside(move || {
            let states = kept(&history)?;
            let texts = |at: &str| history.contents(state(&states, at)?).map_err(disk);
            let from = match (from, states.first()) {
                (Some(at), _) => texts(&at)?,
                (None, Some(newest)) => history.contents(newest).map_err(disk)?,
                (None, None) => BTreeMap::new(),
            };
            let to = match to {
                Some(at) => texts(&at)?,
                None => History::now(&loaded(config, Instead::new())),
            };
            Ok(pieces::between(&from, &to).into_iter().map(DifferenceView::from).collect())
        })
        .await
    }

    /// Brings a state back.
    pub(super) async fn restore(
        &mut self,
        at: String,
        dry: bool,
    ) -> Result<RestoredView, Rejected> {
        let (history, config) = (self.history.clone(), self.config.clone());
        let thought = move || {
            let states = kept(&history)?;
            let state = state(&states, &at)?.clone();
            let newest = states.first().cloned().unwrap_or_else(|| state.clone());
            let mut instead: Instead = history
                .contents(&state)
                .map_err(disk)?
                .into_iter()
                .map(|(path, text)| (path, Some(text)))
                .collect();
            let gone = newest.files.keys().filter(|path| !state.files.contains_key(*path));
            instead.extend(gone.map(|path| (path.clone(), None)));
            Ok((state, newest, read(config, instead)?))
        };
        let (state, newest, loaded) = beside(thought).await?;
        let prospect = self.prospect(&loaded, dry);
        let mut view = RestoredView {
            at: named(&state),
            written: state.changed_since(Some(&newest)),
            removed: Vec::new(),
            changed: prospect.changed,
            restart: prospect.restart,
            dry,
        };
        if dry {
            return Ok(view);
        }
        self.playbill(&loaded).await.map_err(Rejected::Unfit)?;
        let history = self.history.clone();
        let restored = beside(move || history.bring_back(&state, &newest).map_err(disk)).await?;
        (view.written, view.removed) = (Vec::new(), Vec::new());
        for file in restored {
            match file {
                Restored::Written(path) => view.written.push(name(&path)),
                Restored::Removed(path) => view.removed.push(name(&path)),
            }
        }
        // In the order in which they lie on the disk.
        let config = self.config.clone();
        let loaded = beside(move || read(config, Instead::new())).await?;
        let playbill = self.playbill(&loaded).await.map_err(Rejected::Unfit)?;
        self.take(loaded, playbill).await;
        Ok(view)
    }

    /// What the check says now and did not say before.
    fn new_warnings(&self, loaded: &Loaded) -> Vec<Finding> {
        let known = findings(&self.now.0, Severity::Warning);
        let is_known = |it: &Finding| {
            known.iter().any(|old| (&old.code, &old.message) == (&it.code, &it.message))
        };
        findings(loaded, Severity::Warning).into_iter().filter(|it| !is_known(it)).collect()
    }
}

/// Works beside the calls.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejected> + Send + 'static,
) -> Result<T, Rejected> {
    let why = || Rejected::Unfit("the files could not be read; this is a bug".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(|_| why())?
}

fn cabinet(config: PathBuf, salt: &str) -> Result<Cabinet, Refused> {
    Cabinet::open(&config, &|name: &str| std::env::var(name).ok(), salt)
}

/// Reads the files as they are thought to be, which must be without mistakes.
fn read(config: PathBuf, instead: Instead) -> Result<Loaded, Rejected> {
    without_mistakes(loaded(config, instead))
}

fn without_mistakes(loaded: Loaded) -> Result<Loaded, Rejected> {
    if loaded.has_errors() {
        return Err(Rejected::Invalid(findings(&loaded, Severity::Error)));
    }
    Ok(loaded)
}

fn loaded(config: PathBuf, instead: Instead) -> Loaded {
    let environment = |name: &str| std::env::var(name).ok();
    let request = load::Request { instead, ..report::request(&[config]) };
    load::load(&request, &environment, &Inspection)
}

fn kept(history: &History) -> Result<Vec<State>, Rejected> {
    history.states().map_err(disk)
}

/// The state that was taken then.
fn state<'a>(states: &'a [State], at: &str) -> Result<&'a State, Rejected> {
    let found = states.iter().find(|state| named(state) == at);
    let text = "no state of the files has this time: GET /v1/config/history tells them";
    found.ok_or_else(|| Refused::Unknown(text.to_owned()).into())
}

fn named(state: &State) -> String {
    timestamp(Duration::from_secs(state.at))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unwritten(path: &Path, why: &io::Error) -> Rejected {
    Refused::Disk(format!("`{}` cannot be written: {why}", path.display())).into()
}

fn disk(why: io::Error) -> Rejected {
    Refused::Disk(format!("the history of the files: {why}")).into()
}
