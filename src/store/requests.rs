//! Requests that must not be done twice: each has a name that its owner chose, and the answer to it
//! is kept for a day.

use std::time::Duration;

use crate::store::database::{Database, DatabaseError, Statement, Value};

/// Requests that were done.
#[derive(Debug, Clone)]
pub struct Requests {
    database: Database,
}

/// A request by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose it is.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// The sum of what is asked.
    pub sum: String,
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is new: whoever asks does it now.
    New,
    /// Somebody does it, or was stopped while doing it.
    UnderWay,
    /// Something else was asked by this name.
    Other,
    /// It was done, and this was the answer.
    Done(String),
}

impl Requests {
    /// Takes the database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Takes a request, once, at a time since the Unix epoch.
    ///
    /// # Errors
    /// When the database does not answer: then it is not known.
    pub async fn take(&self, request: &Request, now: Duration) -> Result<Standing, DatabaseError> {
        let old = Statement::new(
            "DELETE FROM requests WHERE at < $1",
            [millis(now.saturating_sub(KEPT))],
        );
        let new = Statement::new(
            "INSERT INTO requests (owner, name, sum, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (owner, name) DO NOTHING",
            [
                request.owner.as_str().into(),
                request.name.as_str().into(),
                request.sum.as_str().into(),
                millis(now),
            ],
        );
        if self.database.execute(vec![old, new]).await?.last() == Some(&1) {
            return Ok(Standing::New);
        }
        let text = "SELECT sum, answer FROM requests WHERE owner = $1 AND name = $2";
        let rows = self.database.rows(Statement::new(text, request.named())).await?;
        let Some(row) = rows.first() else { return Ok(Standing::UnderWay) };
        if row.text(0) != Some(request.sum.as_str()) {
            return Ok(Standing::Other);
        }
        Ok(row.text(1).map_or(Standing::UnderWay, |answer| Standing::Done(answer.to_owned())))
    }

    /// It was done, and this is the answer.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn done(&self, request: &Request, answer: String) -> Result<(), DatabaseError> {
        let [owner, name] = request.named();
        let text = "UPDATE requests SET answer = $3 WHERE owner = $1 AND name = $2";
        let order = Statement::new(text, [owner, name, answer.into()]);
        self.database.execute(vec![order]).await.map(|_| ())
    }

    /// It was not done: it may be tried again.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn undone(&self, request: &Request) -> Result<(), DatabaseError> {
        let text = "DELETE FROM requests WHERE owner = $1 AND name = $2 AND answer IS NULL";
        self.database.execute(vec![Statement::new(text, request.named())]).await.map(|_| ())
    }
}

impl Request {
    fn named(&self) -> [Value; 2] {
        [self.owner.as_str().into(), self.name.as_str().into()]
    }
}

fn millis(time: Duration) -> Value {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).into()
}

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(86_400);
