//! Records of calls, written for others to read: spreadsheets, scripts that were made for Asterisk,
//! and whoever trains a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::id::CallId;
use crate::base::zone::Zone;
use crate::server::control::history::{History, Unfound, Wanted, Wrong};
use crate::server::control::insight::{Misfit, named};
use crate::server::control::lessons;
use crate::server::control::protocol::{Extract, Fault, FaultCode, Sought};
use crate::store::call_archive::Document;

/// A part of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractView {
    /// As it is written: whole lines.
    pub text: String,
    /// Where the next part begins: `after` of the next request; nothing at the end.
    pub next: Option<String>,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for each call, with a first line that names the columns.
    Csv,
    /// The whole record of each call, as one line of JSON.
    Jsonl,
    /// The columns of `cdr_csv` of Asterisk.
    Asterisk,
    /// What was said, one conversation a line, as OpenAI reads it for fine-tuning.
    Training,
    /// What stands in the columns of a table, as one line of JSON for each call: whoever asks makes
    /// the table of it, which is a whole and no lines.
    Parquet,
}

/// Writes the next records.
///
/// # Errors
/// When a word makes no sense, or they cannot be found.
pub async fn page(
    history: &History,
    extract: &Extract,
    zone: &Zone,
) -> Result<ExtractView, Misfit> {
    let wrong = |parameter, why: &str| Misfit::Wrong(Wrong { parameter, why: why.to_owned() });
    let format = Format::read(&extract.format).ok_or_else(|| wrong("format", FORMATS))?;
    let zone = named(extract.timezone.as_deref(), zone).map_err(Misfit::Wrong)?;
    let after = extract.after.as_deref().map(str::parse::<CallId>).transpose();
    let behind = after.map_err(|_| wrong("after", "take `next` of the part before"))?;
    let sought = Sought { limit: AT_ONCE, behind, ..extract.sought.clone() };
    let wanted = Wanted::read(&sought).map_err(Misfit::Wrong)?;
    let unfound = |why: Unfound| Misfit::Fault(Fault::new(FaultCode::Busy, why.to_string()));
    let (records, last) = history.records(wanted).await.map_err(unfound)?;
    let is_first = behind.is_none();
    let writing =
        tokio::task::spawn_blocking(move || format.written(&records, (&zone, is_first))).await;
    let text = writing.map_err(|_| unfound(Unfound::Files))?;
    Ok(ExtractView { text, next: last.map(|call| call.to_string()) })
}

impl Format {
    /// Reads `csv` and so on.
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            "asterisk" => Some(Self::Asterisk),
            "training" => Some(Self::Training),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// What all of it is, and what a file of them is called.
    pub fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("text/csv; charset=utf-8", "calls.csv"),
            Self::Jsonl => ("application/jsonl", "calls.jsonl"),
            Self::Asterisk => ("text/csv; charset=utf-8", "Master.csv"),
            Self::Training => ("application/jsonl", "training.jsonl"),
            Self::Parquet => ("application/vnd.apache.parquet", "calls.parquet"),
        }
    }

    fn written(self, records: &[Document], (zone, is_first): (&Zone, bool)) -> String {
        match self {
            Self::Csv => spreadsheet(records, is_first),
            Self::Jsonl => records.iter().map(line).collect(),
            Self::Asterisk => records.iter().map(|record| asterisk(record, zone)).collect(),
            Self::Training => records.iter().filter_map(lessons::line).collect(),
            Self::Parquet => records.iter().map(row).collect(),
        }
    }
}

/// One line of JSON.
fn line(record: &Document) -> String {
    serde_json::to_string(record).unwrap_or_default() + "\n"
}

/// What of a record stands in a table.
fn row(record: &Document) -> String {
    let kept = TABLE.iter().filter_map(|key| Some(((*key).to_owned(), record.get(*key)?.clone())));
    let mut row: Document = kept.collect();
    // What was done by whom is as long as the call was.
    if let Some(Value::Object(cost)) = row.get_mut("cost") {
        cost.retain(|key, _| ["total", "currency"].contains(&key.as_str()));
    }
    line(&row)
}

/// RFC 4180, with lines that end as they do there.
fn spreadsheet(records: &[Document], is_first: bool) -> String {
    let terminator = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    // Nothing is in the way of writing into memory.
    if is_first {
        writer.write_record(COLUMNS).ok();
    }
    for record in records {
        let call = Brief(record);
        let fields = [
            call.text("id"),
            call.text("direction"),
            call.text("status"),
            call.text("end_reason"),
            call.number("q850"),
            call.part("from", "number"),
            call.part("from", "name"),
            call.part("to", "number"),
            call.text("tenant"),
            call.text("trunk"),
            call.text("route"),
            call.agents().join(" "),
            call.text("started_at"),
            call.text("answered_at"),
            call.text("ended_at"),
            call.number("duration_ms"),
            call.talked().map(|talked| talked.to_string()).unwrap_or_default(),
            record.get("recorded").and_then(Value::as_bool).unwrap_or_default().to_string(),
            call.part("cost", "total"),
            call.part("cost", "currency"),
        ];
        writer.write_record(fields.map(inert)).ok();
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A line of `Master.csv`: texts stand in quotes, numbers do not, and a time that is not there is
/// nothing at all.
fn asterisk(record: &Document, zone: &Zone) -> String {
    let call = Brief(record);
    let text = |text: String| format!("\"{}\"", inert(text).replace('"', "\"\""));
    let time = |key: &str| call.moment(key).map(|at| text(zone.written(at))).unwrap_or_default();
    let (number, name) = (call.part("from", "number"), call.part("from", "name"));
    // A name that has the signs of its frame would end it.
    let name = name.replace(['"', '<', '>'], "");
    let clid =
        if name.is_empty() { format!("<{number}>") } else { format!("\"{name}\" <{number}>") };
    let (id, trunk) = (call.text("id"), call.text("trunk"));
    let channel = if trunk.is_empty() { format!("SIP/{id}") } else { format!("SIP/{trunk}-{id}") };
    let agents = call.agents();
    let called = call.dialled();
    let (far, application, data) = match (agents.first(), called) {
        (Some(agent), _) => (format!("Agent/{agent}"), "Agent", agent.clone()),
        (None, Some(called)) => (format!("SIP/{called}"), "Dial", called),
        (None, None) => (String::new(), "", String::new()),
    };
    let seconds = |millis: u64| (millis / 1_000).to_string();
    let lasted = record.get("duration_ms").and_then(Value::as_u64).unwrap_or_default();
    let fields = [
        text(call.text("tenant")),
        text(number),
        text(call.part("to", "number")),
        text(call.text("route")),
        text(clid),
        text(channel),
        text(far),
        text(application.to_owned()),
        text(data),
        time("started_at"),
        time("answered_at"),
        time("ended_at"),
        seconds(lasted),
        seconds(call.talked().unwrap_or_default()),
        text(call.disposition().to_owned()),
        text("DOCUMENTATION".to_owned()),
        text(id),
        text(call.text("end_reason")),
    ];
    fields.join(",") + "\n"
}

/// A text that no spreadsheet takes for a formula: it is led by an apostrophe. Numbers of
/// telephones, a plus and digits, stay as they are. On one line: other programs read lines.
fn inert(text: String) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim_start().to_owned();
    let is_number = text
        .strip_prefix('+')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|octet| octet.is_ascii_digit()));
    if text.starts_with(['=', '+', '-', '@']) && !is_number { format!("'{text}") } else { text }
}

/// What is read of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brief<'a>(pub(super) &'a Document);

impl Brief<'_> {
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(super) fn maybe(self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    pub(super) fn text(self, key: &str) -> String {
        self.maybe(key).unwrap_or_default()
    }

    fn number(self, key: &str) -> String {
        self.0.get(key).and_then(Value::as_u64).map(|it| it.to_string()).unwrap_or_default()
    }

    pub(super) fn of(self, key: &str, inner: &str) -> Option<String> {
        self.0.get(key)?.get(inner)?.as_str().map(str::to_owned)
    }

    fn part(self, key: &str, inner: &str) -> String {
        self.of(key, inner).unwrap_or_default()
    }

    pub(super) fn agents(self) -> Vec<String> {
        let agents = self.0.get("agents").and_then(Value::as_array).into_iter().flatten();
        agents.filter_map(|agent| agent.as_str().map(str::to_owned)).collect()
    }

    /// Whom we called in it.
    fn dialled(self) -> Option<String> {
        let legs = self.0.get("legs").and_then(Value::as_array).into_iter().flatten();
        legs.filter_map(|leg| leg.get("to")?.as_str()).next().map(str::to_owned)
    }

    pub(super) fn moment(self, key: &str) -> Option<std::time::Duration> {
        crate::server::control::history::moment(self.0.get(key)?.as_str()?)
    }

    /// Milliseconds from the answer to the end; nothing when it was not answered.
    pub(super) fn talked(self) -> Option<u64> {
        let talked = self.moment("ended_at")?.saturating_sub(self.moment("answered_at")?);
        u64::try_from(talked.as_millis()).ok()
    }

    fn disposition(self) -> &'static str {
        let q850 = self.0.get("q850").and_then(Value::as_u64);
        match (self.moment("answered_at"), self.text("status").as_str(), q850) {
            (Some(_), _, _) => "ANSWERED",
            (None, "busy", _) => "BUSY",
            (None, "no_answer" | "canceled", _) => "NO ANSWER",
            // No circuit, congestion of the switch, no channel (Q.850).
            (None, _, Some(34 | 42 | 44)) => "CONGESTION",
            (None, _, _) => "FAILED",
        }
    }
}

const COLUMNS: [&str; 20] = [
    "id",
    "direction",
    "status",
    "end_reason",
    "q850",
    "from",
    "from_name",
    "to",
    "tenant",
    "trunk",
    "route",
    "agents",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_ms",
    "talk_ms",
    "recorded",
    "cost",
    "currency",
];

/// What of a record is read for the columns of a table.
const TABLE: [&str; 17] = [
    "id",
    "direction",
    "status",
    "end_reason",
    "q850",
    "from",
    "to",
    "tenant",
    "trunk",
    "route",
    "agents",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_ms",
    "recorded",
    "cost",
];

const FORMATS: &str = "one of csv, jsonl, asterisk, training, parquet";

/// How many records are read for one part.
const AT_ONCE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn record(changes: Value) -> Document {
        let record = json!({
            "id": "call_1", "direction": "inbound", "status": "completed",
            "end_reason": "caller_hangup", "q850": 16,
            "from": { "number": "+4971112345", "name": "Zoë \"=1+1\", <x>\r\n" },
            "to": { "number": "100" }, "trunk": "carrier", "route": null, "agents": ["desk", "billing"],
            "started_at": "2026-11-22T10:00:00.000Z", "answered_at": "2026-11-22T10:00:02.000Z",
            "ended_at": "2026-11-22T10:01:00.500Z", "duration_ms": 60_500, "recorded": true,
        });
        let (Value::Object(mut record), Value::Object(changes)) = (record, changes) else {
            panic!("objects")
        };
        record.extend(changes);
        record
    }

    #[test]
    fn a_spreadsheet_gets_cells_and_never_formulas() {
        let hostile = json!({ "from": { "number": "=cmd|' /C calc'!A0", "name": " \t-2+3" },
            "to": { "number": "+49711" }, "tenant": "@x", "route": "+1+1" });
        let text = spreadsheet(&[record(json!({})), record(hostile)], true);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().expect("a head"), COLUMNS.as_slice());
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!((&rows[0][5], &rows[0][6]), ("+4971112345", "Zoë \"=1+1\", <x>  "));
        assert_eq!((&rows[0][11], &rows[0][16], &rows[0][17]), ("desk billing", "58500", "true"));
        let cells = [5, 6, 7, 8, 10].map(|at| rows[1][at].to_owned());
        assert_eq!(cells, ["'=cmd|' /C calc'!A0", "'-2+3", "+49711", "'@x", "'+1+1"]);
        assert_eq!(spreadsheet(&[], false), "");
    }

    #[test]
    fn scripts_for_asterisk_find_their_columns() {
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        let line = asterisk(&record(json!({})), &zone);
        assert_eq!(
            line,
            "\"\",\"+4971112345\",\"100\",\"\",\"\"\"Zoë =1+1, x  \"\" <+4971112345>\",\
             \"SIP/carrier-call_1\",\"Agent/desk\",\"Agent\",\"desk\",\"2026-11-22 11:00:00\",\
             \"2026-11-22 11:00:02\",\"2026-11-22 11:01:00\",60,58,\"ANSWERED\",\
             \"DOCUMENTATION\",\"call_1\",\"caller_hangup\"\n"
        );
        let of = |status: &str, q850: u64| {
            let lost = json!({ "answered_at": null, "status": status, "q850": q850 });
            let line = asterisk(&record(lost), &zone);
            assert!(
                line.contains("\"2026-11-22 11:00:00\",,\"2026-11-22 11:01:00\",60,0,"),
                "{line}"
            );
            line.split(',').nth_back(3).expect("columns").trim_matches('"').to_owned()
        };
        let told =
            [("busy", 17), ("no_answer", 19), ("canceled", 16), ("failed", 34), ("failed", 1)];
        let told = told.map(|(status, q850)| of(status, q850));
        assert_eq!(told, ["BUSY", "NO ANSWER", "NO ANSWER", "CONGESTION", "FAILED"]);
    }
}
