//! The calls that ended, as the database lists them. The file of a call says what was; the database
//! only finds it.

use serde_json::{Map, Value as Json};

use crate::base::id::CallId;
use crate::base::price::Cost;
use crate::store::call_archive::Document;
use crate::store::database::{Database, DatabaseError, Dialect, Row, Statement, Value};
use crate::store::words::{Search, words};

/// What lists calls.
#[derive(Debug, Clone)]
pub struct Index {
    database: Database,
}

/// A call that is to be listed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which.
    pub call: CallId,
    /// What tells this state of its file from another.
    pub stamp: i64,
    /// What its file says.
    pub record: Document,
}

/// Which calls are wanted. Each that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `completed` and so on.
    pub status: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: Option<String>,
    /// An agent that spoke.
    pub agent: Option<String>,
    /// The trunk.
    pub trunk: Option<String>,
    /// The tenant whose call it was.
    pub tenant: Option<String>,
    /// Why it ended.
    pub cause: Option<String>,
    /// The number of the caller.
    pub caller: Option<String>,
    /// The number that was called.
    pub callee: Option<String>,
    /// The first identity that is wanted.
    pub first: Option<CallId>,
    /// The first that is not.
    pub before: Option<CallId>,
    /// Words that were said.
    pub search: Option<Search>,
}

/// What must be so of each row, and what is bound in it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Index {
    /// Takes the database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Lists these calls, whatever was listed of them before: all of them or none.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn put(&self, entries: &[Entry]) -> Result<(), DatabaseError> {
        let dialect = self.database.dialect();
        let orders = entries.iter().flat_map(|entry| entry.orders(dialect)).collect();
        self.database.execute(orders).await.map(|_| ())
    }

    /// Lists these calls no more; tells how many were.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn remove(&self, calls: &[CallId]) -> Result<u64, DatabaseError> {
        let dialect = self.database.dialect();
        let mut orders = Vec::new();
        let mut counts = Vec::new();
        for call in calls {
            orders.extend(parts_removed(&call.to_string(), dialect));
            counts.push(orders.len());
            let of = [call.to_string().into()];
            orders.push(Statement::new("DELETE FROM calls WHERE id = $1", of));
        }
        let touched = self.database.execute(orders).await?;
        Ok(counts.into_iter().filter_map(|at| touched.get(at)).sum())
    }

    /// The calls that fit, in brief, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<(CallId, Document)>, DatabaseError> {
        let dialect = self.database.dialect();
        let leader = match dialect {
            Dialect::Sqlite => self.leader(filter).await?,
            Dialect::Postgres => None,
        };
        let rows = self.database.rows(filter.statement(dialect, leader, limit)).await?;
        Ok(rows
            .iter()
            .filter_map(|row| Some((row.text(0)?.parse().ok()?, json(row, 1)?)))
            .collect())
    }

    /// The rarest of several filters, as far as each is counted: SQLite knows nothing about single
    /// values, and would go through all calls of a trunk for the few that failed.
    async fn leader(&self, filter: &Filter) -> Result<Option<&'static str>, DatabaseError> {
        let wanted: Vec<_> = filter.wanted().collect();
        if wanted.len() < 2 || filter.search.is_some() {
            return Ok(None);
        }
        let written = |call: Option<CallId>| call.map(|call| call.to_string());
        let first = written(filter.first).unwrap_or_default();
        // Behind every identity.
        let before = written(filter.before).unwrap_or_else(|| "~".to_owned());
        let mut values = vec![first.into(), before.into()];
        let counts: Vec<String> = wanted
            .iter()
            .map(|(column, value)| {
                values.push((*value).into());
                let place = values.len();
                let (table, id) = match *column {
                    AGENT => ("call_agents", "call"),
                    _ => ("calls", "id"),
                };
                format!(
                    "(SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {column} = ${place} \
                     AND {id} >= $1 AND {id} < $2 LIMIT {MANY}))"
                )
            })
            .collect();
        let asked = Statement::new(format!("SELECT {}", counts.join(", ")), values);
        let rows = self.database.rows(asked).await?;
        let count = |at: usize| rows.first().and_then(|row| row.number(at));
        let rarest = wanted.iter().enumerate().min_by_key(|(at, _)| count(*at));
        Ok(rarest.map(|(_, (column, _))| *column))
    }

    /// The record of a call; nothing when it is not listed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record(&self, call: CallId) -> Result<Option<Document>, DatabaseError> {
        let of = [call.to_string().into()];
        let asked = Statement::new("SELECT record FROM calls WHERE id = $1", of);
        let rows = self.database.rows(asked).await?;
        Ok(rows.first().and_then(|row| json(row, 0)))
    }

    /// The identities that are listed, with the stamps of their files, in order: those behind
    /// `after`, and only so many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listed(
        &self,
        after: Option<CallId>,
        limit: usize,
    ) -> Result<Vec<(CallId, i64)>, DatabaseError> {
        let after = after.map(|call| call.to_string()).unwrap_or_default();
        let text = "SELECT id, stamp FROM calls WHERE id > $1 ORDER BY id LIMIT $2";
        let asked = Statement::new(text, [after.into(), number(limit)]);
        let rows = self.database.rows(asked).await?;
        let entry = |row: &Row| Some((row.text(0)?.parse().ok()?, row.number(1)?));
        Ok(rows.iter().filter_map(entry).collect())
    }

    /// How many calls are listed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count(&self) -> Result<u64, DatabaseError> {
        let rows = self.database.rows(Statement::new("SELECT count(*) FROM calls", [])).await?;
        let count = rows.first().and_then(|row| row.number(0)).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl Entry {
    fn orders(&self, dialect: Dialect) -> Vec<Statement> {
        let id = self.call.to_string();
        let mut orders = vec![self.row(&id)];
        orders.extend(parts_removed(&id, dialect));
        let agents = list(&self.record, "agents").filter_map(Json::as_str);
        for agent in agents {
            let text = "INSERT INTO call_agents (agent, call) VALUES ($1, $2) \
                        ON CONFLICT (agent, call) DO NOTHING";
            orders.push(Statement::new(text, [agent.into(), id.as_str().into()]));
        }
        orders.extend(list(&self.record, "legs").enumerate().map(|leg| of_leg(&id, leg)));
        orders.extend(list(&self.record, "turns").enumerate().map(|turn| of_turn(&id, turn)));
        // What it cost to read it afterwards is of the call as well.
        let costs =
            [self.record.get("cost"), self.record.get("analysis").and_then(|it| it.get("cost"))];
        let totals = costs.into_iter().flatten().filter_map(|cost| cost.get("totals"));
        let totals = totals.filter_map(Json::as_array).flatten();
        orders.extend(totals.filter_map(|total| of_cost(&id, total)));
        orders.extend(list(&self.record, "tools").enumerate().map(|tool| of_tool(&id, tool)));
        let text = match dialect {
            Dialect::Sqlite => {
                "INSERT INTO call_words (rowid, words) SELECT number, $2 FROM calls WHERE id = $1"
            }
            Dialect::Postgres => {
                "UPDATE calls SET words = array_to_tsvector(string_to_array($2, ' ')) \
                 WHERE id = $1 AND $2 <> ''"
            }
        };
        orders.push(Statement::new(text, [id.into(), self.words().into()]));
        orders
    }

    fn row(&self, id: &str) -> Statement {
        let record = &self.record;
        let began = i64::try_from(self.call.began().as_millis()).unwrap_or_default();
        let word = |key: &str| text(record.get(key)).unwrap_or_default();
        let number_of =
            |key: &str| text(record.get(key).and_then(|it| it.get("number"))).unwrap_or_default();
        Statement::new(
            "INSERT INTO calls (id, stamp, direction, status, cause, caller, callee, trunk, route, \
             lasted, brief, record, tenant, began, waited) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp, \
             direction = excluded.direction, status = excluded.status, cause = excluded.cause, \
             caller = excluded.caller, callee = excluded.callee, trunk = excluded.trunk, \
             route = excluded.route, lasted = excluded.lasted, brief = excluded.brief, \
             record = excluded.record, tenant = excluded.tenant, began = excluded.began, \
             waited = excluded.waited",
            [
                id.into(),
                self.stamp.into(),
                word("direction").into(),
                word("status").into(),
                word("end_reason").into(),
                number_of("from").into(),
                number_of("to").into(),
                word("trunk").into(),
                word("route").into(),
                millis(record.get("duration_ms")).unwrap_or_default().into(),
                Json::Object(brief(record)).to_string().into(),
                Json::Object(record.clone()).to_string().into(),
                word("tenant").into(),
                began.into(),
                waited(record).into(),
            ],
        )
    }

    /// What is found of it: what was said, left and found out, and who called.
    fn words(&self) -> String {
        let said = list(&self.record, "transcript").filter_map(|line| line.get("text"));
        let left = list(&self.record, "messages").filter_map(|message| message.get("text"));
        let summary = self.record.get("analysis").and_then(|it| it.get("summary"));
        let name = self.record.get("from").and_then(|it| it.get("name"));
        words(said.chain(left).chain(summary).chain(name).filter_map(Json::as_str))
    }
}

impl Filter {
    fn statement(&self, dialect: Dialect, leader: Option<&'static str>, limit: usize) -> Statement {
        let mut rules = Rules::default();
        // Whoever leads has the identities in order, and is read only as far as the page goes.
        let (from, id) = match (&self.agent, leader) {
            (Some(agent), None) => {
                rules.add("call_agents.agent = ?", agent.clone().into());
                let from = "call_agents JOIN calls ON calls.id = call_agents.call";
                (from.to_owned(), "call_agents.call")
            }
            (Some(agent), Some(AGENT)) => {
                rules.add("call_agents.agent = ?", agent.clone().into());
                let from = "call_agents CROSS JOIN calls ON calls.id = call_agents.call";
                (from.to_owned(), "call_agents.call")
            }
            (agent, Some(column)) => {
                if let Some(agent) = agent {
                    let spoke = "EXISTS (SELECT 1 FROM call_agents \
                                 WHERE call_agents.agent = ? AND call_agents.call = calls.id)";
                    rules.add(spoke, agent.clone().into());
                }
                (format!("calls INDEXED BY calls_by_{column}"), "calls.id")
            }
            (None, None) => ("calls".to_owned(), "calls.id"),
        };
        self.columns(&mut rules, dialect);
        if let Some(first) = self.first {
            rules.add(&format!("{id} >= ?"), first.to_string().into());
        }
        if let Some(before) = self.before {
            rules.add(&format!("{id} < ?"), before.to_string().into());
        }
        let (rules, mut values) = rules.written();
        values.push(number(limit));
        let place = values.len();
        let text = format!(
            "SELECT calls.id, calls.brief FROM {from} WHERE {rules} ORDER BY {id} DESC LIMIT ${place}"
        );
        Statement::new(text, values)
    }

    /// What is wanted of each column; the agent stands in a table of its own.
    fn wanted(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let columns = [
            (AGENT, &self.agent),
            ("status", &self.status),
            ("direction", &self.direction),
            ("trunk", &self.trunk),
            ("tenant", &self.tenant),
            ("cause", &self.cause),
            ("caller", &self.caller),
            ("callee", &self.callee),
        ];
        columns.into_iter().filter_map(|(column, wanted)| Some((column, wanted.as_deref()?)))
    }

    /// The rules about what stands in the row of a call, and about its words; neither about its
    /// time nor about its agents.
    pub(super) fn columns(&self, rules: &mut Rules, dialect: Dialect) {
        for (column, wanted) in self.wanted().filter(|(column, _)| *column != AGENT) {
            rules.add(&format!("calls.{column} = ?"), wanted.into());
        }
        let Some(search) = &self.search else { return };
        match dialect {
            Dialect::Sqlite => rules.add(
                "calls.number IN (SELECT rowid FROM call_words WHERE call_words MATCH ?)",
                search.for_sqlite().into(),
            ),
            Dialect::Postgres => {
                rules.add("calls.words @@ CAST(? AS tsquery)", search.for_postgres().into());
            }
        }
    }
}

impl Rules {
    /// One more; `?` stands for the value.
    pub(super) fn add(&mut self, rule: &str, value: Value) {
        self.values.push(value);
        self.texts.push(rule.replace('?', &format!("${}", self.values.len())));
    }

    /// As they stand behind `WHERE`, and what is bound in them.
    pub(super) fn written(self) -> (String, Vec<Value>) {
        let text =
            if self.texts.is_empty() { "1 = 1".to_owned() } else { self.texts.join(" AND ") };
        (text, self.values)
    }
}

/// What lists show of a record: its keys that are no lists of what happened.
fn brief(record: &Document) -> Document {
    let mut brief = Map::new();
    for key in BRIEF {
        if let Some(value) = record.get(*key) {
            brief.insert((*key).to_owned(), value.clone());
        }
    }
    brief
}

/// What stands of a call in other tables is taken away. The words go first: their place is known by
/// the row of the call.
fn parts_removed(id: &str, dialect: Dialect) -> impl Iterator<Item = Statement> + '_ {
    let words = match dialect {
        Dialect::Sqlite => {
            "DELETE FROM call_words WHERE rowid IN (SELECT number FROM calls WHERE id = $1)"
        }
        Dialect::Postgres => "UPDATE calls SET words = NULL WHERE id = $1",
    };
    let parts = [
        words,
        "DELETE FROM call_agents WHERE call = $1",
        "DELETE FROM legs WHERE call = $1",
        "DELETE FROM turns WHERE call = $1",
        "DELETE FROM tool_calls WHERE call = $1",
        "DELETE FROM call_costs WHERE call = $1",
    ];
    parts.into_iter().map(move |text| Statement::new(text, [id.into()]))
}

fn of_leg(id: &str, (place, leg): (usize, &Json)) -> Statement {
    let sip = leg.get("sip");
    let of_sip = |key: &str| text(sip.and_then(|sip| sip.get(key))).unwrap_or_default();
    Statement::new(
        "INSERT INTO legs (call, place, sip_call_id, peer, callee, codec, start_ms, answered_ms, \
         ended_ms, cause) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            id.into(),
            number(place),
            of_sip("call_id").into(),
            of_sip("peer").into(),
            text(leg.get("to")).into(),
            text(leg.get("codec")).into(),
            millis(leg.get("start_ms")).into(),
            millis(leg.get("answered_ms")).into(),
            millis(leg.get("ended_ms")).into(),
            text(leg.get("end_reason")).into(),
        ],
    )
}

fn of_turn(id: &str, (place, turn): (usize, &Json)) -> Statement {
    let by = |stage: &str| text(turn.get("providers").and_then(|it| it.get(stage)));
    let at = |stage: &str| millis(turn.get("latency").and_then(|it| it.get(stage)));
    Statement::new(
        "INSERT INTO turns (call, turn, stt, llm, tts, speech_ended_ms, transcript_ms, \
         committed_ms, first_delta_ms, first_clause_ms, first_audio_ms, first_packet_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (call, turn) DO NOTHING",
        [
            id.into(),
            millis(turn.get("turn")).map_or_else(|| number(place), Value::from),
            by("stt").into(),
            by("llm").into(),
            by("tts").into(),
            at("speech_ended_ms").into(),
            at("transcript_ms").into(),
            at("committed_ms").into(),
            at("first_delta_ms").into(),
            at("first_clause_ms").into(),
            at("first_audio_ms").into(),
            at("first_packet_ms").into(),
        ],
    )
}

fn of_tool(id: &str, (place, tool): (usize, &Json)) -> Statement {
    Statement::new(
        "INSERT INTO tool_calls (call, place, name, at_ms, outcome, took_ms) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        [
            id.into(),
            number(place),
            text(tool.get("name")).unwrap_or_default().into(),
            millis(tool.get("at_ms")).into(),
            text(tool.get("outcome")).into(),
            millis(tool.get("took_ms")).into(),
        ],
    )
}

/// What a call costs in one currency; nothing when that cannot be read.
fn of_cost(id: &str, total: &Json) -> Option<Statement> {
    let cost: Cost =
        format!("{} {}", text(total.get("amount"))?, text(total.get("currency"))?).parse().ok()?;
    let billionths = i64::try_from(cost.billionths).unwrap_or(i64::MAX);
    Some(Statement::new(
        "INSERT INTO call_costs (call, currency, billionths) VALUES ($1, $2, $3) \
         ON CONFLICT (call, currency) DO UPDATE \
         SET billionths = call_costs.billionths + excluded.billionths",
        [id.into(), cost.currency.to_string().into(), billionths.into()],
    ))
}

/// Milliseconds from the arrival of a call to its answer; nothing when it was not answered.
pub(super) fn waited(record: &Document) -> Option<i64> {
    let at = |key: &str| record.get(key)?.as_str()?.parse::<jiff::Timestamp>().ok();
    let (began, answered) = (at("started_at")?, at("answered_at")?);
    Some((answered.as_millisecond() - began.as_millisecond()).max(0))
}

fn list<'a>(record: &'a Document, key: &str) -> impl Iterator<Item = &'a Json> {
    record.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn text(value: Option<&Json>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn millis(value: Option<&Json>) -> Option<i64> {
    value?.as_i64()
}

fn number(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

fn json(row: &Row, column: usize) -> Option<Document> {
    serde_json::from_str(row.text(column)?).ok()
}

/// The column of agents.
const AGENT: &str = "agent";

/// So many calls are not rare: nobody counts further.
const MANY: usize = 2_000;

/// What lists show.
const BRIEF: &[&str] = &[
    "id",
    "direction",
    "status",
    "end_reason",
    "from",
    "to",
    "trunk",
    "tenant",
    "route",
    "agents",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_ms",
    "recorded",
    "name",
    "metadata",
];
