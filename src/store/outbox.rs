//! The outbox: what webhooks are still to be told, and what became of it. Each event is there before
//! it is sent, and stays until it was taken, or given up.

use std::time::Duration;

use crate::store::database::{Database, DatabaseError, Row, Statement, Value};
use crate::store::spool::Event;

/// What is to be told, and was.
#[derive(Debug, Clone)]
pub struct Outbox {
    database: Database,
}

/// An event that is due at a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place among all events.
    pub number: i64,
    /// Its identity.
    pub id: String,
    /// What it tells.
    pub body: String,
    /// The trace that goes on there, if there is one.
    pub traceparent: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What comes of it.
    pub fate: Fate,
    /// When it was, since the Unix epoch.
    pub at: Duration,
    /// The status of HTTP, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// What comes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Delivered,
    /// It is tried again at this time since the Unix epoch.
    Again(Duration),
    /// It is given up.
    Dead,
}

/// How an event stands at a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The event.
    pub id: String,
    /// `call.ended` and the like.
    pub kind: String,
    /// The call, if it was in one.
    pub call: Option<String>,
    /// The webhook.
    pub webhook: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at: i64,
    /// When it was tried last.
    pub tried: Option<i64>,
    /// When it is tried next, while it is pending.
    pub due: Option<i64>,
    /// The status of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub failure: Option<String>,
}

/// How a webhook stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that are still to be told.
    pub pending: i64,
    /// Events that were given up.
    pub dead: i64,
    /// Since when it is told nothing, in milliseconds since the Unix epoch, because it is gone.
    pub disabled: Option<i64>,
}

impl Outbox {
    /// Takes the database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Keeps events for the webhooks that want them. One that is there already is not kept again.
    ///
    /// # Errors
    /// When the database does not take them: then none is kept.
    pub async fn append(
        &self,
        events: &[Event],
        wanted_by: impl Fn(&Event) -> Vec<String>,
    ) -> Result<(), DatabaseError> {
        let mut orders = Vec::new();
        for event in events {
            let webhooks = wanted_by(event);
            if webhooks.is_empty() {
                continue;
            }
            orders.push(Statement::new(
                "INSERT INTO events (id, kind, call, at, body, traceparent) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (id) DO NOTHING",
                [
                    event.id.as_str().into(),
                    event.kind.as_str().into(),
                    event.call.clone().into(),
                    event.at.into(),
                    event.body.as_str().into(),
                    event.traceparent.clone().into(),
                ],
            ));
            // Events of a call stand in line; those of no call in a line of their own.
            let lane = event.call.as_ref().unwrap_or(&event.id);
            orders.extend(webhooks.into_iter().map(|webhook| {
                Statement::new(
                    "INSERT INTO deliveries (webhook, event, lane, state, attempts, due) \
                     SELECT $1, number, $3, 'pending', 0, at FROM events WHERE id = $2 \
                     AND NOT EXISTS (SELECT 1 FROM disabled_webhooks WHERE webhook = $1) \
                     ON CONFLICT (webhook, event) DO NOTHING",
                    [webhook.into(), event.id.as_str().into(), lane.as_str().into()],
                )
            }));
        }
        if orders.is_empty() {
            return Ok(());
        }
        self.database.execute(orders).await.map(|_| ())
    }

    /// What is due at a webhook, the longest due first: of each call only the first that was not
    /// told.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(
        &self,
        webhook: &str,
        now: Duration,
        limit: usize,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        // What is sorted holds no bodies.
        let text = format!(
            "SELECT events.number, events.id, events.body, first.attempts, \
             events.traceparent FROM \
             (SELECT deliveries.event, deliveries.due, deliveries.attempts FROM deliveries \
             WHERE deliveries.due <= $2 AND {FIRST_IN_LANE} \
             ORDER BY deliveries.due, deliveries.event LIMIT $3) AS first \
             JOIN events ON events.number = first.event ORDER BY first.due, first.event"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let asked = Statement::new(text, [webhook.into(), millis(now).into(), limit.into()]);
        let rows = self.database.rows(asked).await?;
        let delivery = |row: &Row| {
            Some(Delivery {
                number: row.number(0)?,
                id: row.text(1)?.to_owned(),
                body: row.text(2)?.to_owned(),
                attempts: u32::try_from(row.number(3)?).ok()?,
                traceparent: row.text(4).map(str::to_owned),
            })
        };
        Ok(rows.iter().filter_map(delivery).collect())
    }

    /// When the next is due at a webhook, after `now`, since the Unix epoch.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_due(
        &self,
        webhook: &str,
        now: Duration,
    ) -> Result<Option<Duration>, DatabaseError> {
        let text = format!(
            "SELECT min(deliveries.due) FROM deliveries \
             WHERE deliveries.due > $2 AND {FIRST_IN_LANE}"
        );
        let rows =
            self.database.rows(Statement::new(text, [webhook.into(), millis(now).into()])).await?;
        let due = rows.first().and_then(|row| row.number(0));
        Ok(due.and_then(|due| u64::try_from(due).ok()).map(Duration::from_millis))
    }

    /// Notes what became of an attempt.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn settle(
        &self,
        webhook: &str,
        number: i64,
        attempt: &Attempt,
    ) -> Result<(), DatabaseError> {
        let (state, due) = match attempt.fate {
            Fate::Delivered => ("delivered", attempt.at),
            Fate::Again(at) => ("pending", at),
            Fate::Dead => ("dead", attempt.at),
        };
        let order = Statement::new(
            "UPDATE deliveries SET state = $3, attempts = attempts + 1, due = $4, tried = $5, \
             status = $6, failure = $7 WHERE webhook = $1 AND event = $2",
            [
                webhook.into(),
                number.into(),
                state.into(),
                millis(due).into(),
                millis(attempt.at).into(),
                attempt.status.map(i64::from).into(),
                attempt.failure.clone().into(),
            ],
        );
        self.database.execute(vec![order]).await.map(|_| ())
    }

    /// Tells a webhook nothing more: it is gone. What was still to be told is given up.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn disable(&self, webhook: &str, now: Duration) -> Result<(), DatabaseError> {
        let of = || [Value::from(webhook)];
        let gone = Statement::new(
            "INSERT INTO disabled_webhooks (webhook, since) VALUES ($1, $2) \
             ON CONFLICT (webhook) DO NOTHING",
            [webhook.into(), millis(now).into()],
        );
        let text = "UPDATE deliveries SET state = 'dead' WHERE webhook = $1 AND state = 'pending'";
        self.database.execute(vec![gone, Statement::new(text, of())]).await.map(|_| ())
    }

    /// Tells it things again, from now on; tells whether it was told nothing before.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enable(&self, webhook: &str) -> Result<bool, DatabaseError> {
        let text = "DELETE FROM disabled_webhooks WHERE webhook = $1";
        let touched = self.database.execute(vec![Statement::new(text, [webhook.into()])]).await?;
        Ok(touched.first().is_some_and(|count| *count > 0))
    }

    /// Has events told once more, from the beginning: the one that is named, or all that were given
    /// up. Tells how many.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn replay(
        &self,
        webhook: &str,
        event: Option<&str>,
        now: Duration,
    ) -> Result<u64, DatabaseError> {
        let again = "UPDATE deliveries SET state = 'pending', attempts = 0, due = $2 \
                     WHERE webhook = $1 AND ";
        let due = millis(now);
        let order = match event {
            Some(event) => Statement::new(
                format!("{again} event = (SELECT number FROM events WHERE id = $3)"),
                [webhook.into(), due.into(), event.into()],
            ),
            None => Statement::new(format!("{again} state = 'dead'"), [webhook.into(), due.into()]),
        };
        Ok(self.database.execute(vec![order]).await?.into_iter().sum())
    }

    /// How the last events stand at a webhook, the newest first; those in a state, if one is named.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log(
        &self,
        webhook: &str,
        state: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Standing>, DatabaseError> {
        let mut values = vec![webhook.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
        let rule = match state {
            Some(state) => {
                values.push(state.into());
                " AND deliveries.state = $3"
            }
            None => "",
        };
        let text = format!(
            "SELECT events.id, events.kind, events.call, deliveries.state, deliveries.attempts, \
             events.at, deliveries.tried, deliveries.due, deliveries.status, deliveries.failure \
             FROM deliveries JOIN events ON events.number = deliveries.event \
             WHERE deliveries.webhook = $1{rule} ORDER BY deliveries.event DESC LIMIT $2"
        );
        let rows = self.database.rows(Statement::new(text, values)).await?;
        Ok(rows.iter().filter_map(|row| standing(webhook, row)).collect())
    }

    /// How a webhook stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tally(&self, webhook: &str) -> Result<Tally, DatabaseError> {
        let count = "(SELECT count(*) FROM deliveries WHERE webhook = $1 AND state = ";
        let text = format!(
            "SELECT {count} 'pending'), {count} 'dead'), \
             (SELECT since FROM disabled_webhooks WHERE webhook = $1)"
        );
        let rows = self.database.rows(Statement::new(text, [webhook.into()])).await?;
        let number = |column| rows.first().and_then(|row| row.number(column));
        Ok(Tally {
            pending: number(0).unwrap_or_default(),
            dead: number(1).unwrap_or_default(),
            disabled: number(2),
        })
    }

    /// Forgets events that happened before a time since the Unix epoch; tells how many.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn forget(&self, before: Duration) -> Result<u64, DatabaseError> {
        let of = || [Value::from(millis(before))];
        let told = Statement::new(
            "DELETE FROM deliveries WHERE event IN (SELECT number FROM events WHERE at < $1)",
            of(),
        );
        let gone = Statement::new("DELETE FROM events WHERE at < $1", of());
        let touched = self.database.execute(vec![told, gone]).await?;
        Ok(touched.last().copied().unwrap_or_default())
    }
}

fn standing(webhook: &str, row: &Row) -> Option<Standing> {
    let text = |column| row.text(column).map(str::to_owned);
    let state = text(3)?;
    let is_pending = state == "pending";
    Some(Standing {
        id: text(0)?,
        kind: text(1)?,
        call: text(2),
        webhook: webhook.to_owned(),
        state,
        attempts: row.number(4)?,
        at: row.number(5)?,
        tried: row.number(6),
        due: row.number(7).filter(|_| is_pending),
        status: row.number(8),
        failure: text(9),
    })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Nothing of the same call is before it.
const FIRST_IN_LANE: &str = "deliveries.webhook = $1 AND deliveries.state = 'pending' \
     AND NOT EXISTS (SELECT 1 FROM deliveries AS ahead WHERE ahead.webhook = $1 \
     AND ahead.state = 'pending' AND ahead.lane = deliveries.lane \
     AND ahead.event < deliveries.event)";
