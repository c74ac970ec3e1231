//! Records of calls in columns, as Apache Parquet has them: for DuckDB, pandas, Spark and whatever
//! else counts a million of them. Written group by group: what is ready can be sent before the rest
//! is known.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray};
use parquet::data_type::{FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use crate::base::price::Cost;
use crate::server::control::export::Brief;
use crate::store::call_archive::Document;

/// A file that is being written.
#[derive(Debug)]
pub struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    rows: Vec<Document>,
}

/// Why a table is not written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// What is to be put into it is no record of a call.
    #[error("this is no record of a call: {0}")]
    Record(#[from] serde_json::Error),
    /// It cannot be put into columns.
    #[error(transparent)]
    Columns(#[from] ParquetError),
    /// It cannot be written into memory.
    #[error(transparent)]
    Memory(#[from] std::io::Error),
}

/// How the values of a column are read of a record.
enum Column {
    Id,
    Text(fn(Brief<'_>) -> Option<String>),
    Texts(fn(Brief<'_>) -> Vec<String>),
    /// A cause of Q.850.
    Small(&'static str),
    Whole(fn(Brief<'_>) -> Option<i64>),
    Flag(&'static str),
    Amount,
}

impl Table {
    /// An empty one.
    ///
    /// # Errors
    /// When its columns make no sense, which is a bug.
    pub fn new() -> Result<Self, Unwritten> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder()
            .set_created_by(concat!("voxtrunk ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            // Of each group, not of each page: that of a group is bounded and small.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    /// Takes records, one on each line; gives what of the file is ready, often nothing.
    ///
    /// # Errors
    /// When they are no records.
    pub fn put(&mut self, lines: &str) -> Result<Vec<u8>, Unwritten> {
        for line in lines.lines() {
            self.rows.push(serde_json::from_str(line)?);
            if self.rows.len() == GROUP {
                self.write()?;
            }
        }
        self.ready()
    }

    /// Gives the rest of the file.
    ///
    /// # Errors
    /// When the columns make no sense, which is a bug.
    pub fn end(mut self) -> Result<Vec<u8>, Unwritten> {
        if !self.rows.is_empty() {
            self.write()?;
        }
        self.writer.finish()?;
        self.ready()
    }

    /// The places of what follows are counted by the writer, not by what is still in memory.
    fn ready(&mut self) -> Result<Vec<u8>, Unwritten> {
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// Writes a group of rows.
    fn write(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in &COLUMNS {
            let writer = group.next_column()?;
            let mut writer =
                writer.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
            column.write(&self.rows, &mut writer)?;
            writer.close()?;
        }
        group.close()?;
        self.rows.clear();
        Ok(())
    }
}

impl Column {
    fn write(
        &self,
        rows: &[Document],
        out: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        let calls = rows.iter().map(Brief);
        let text = |text: String| ByteArray::from(text.into_bytes());
        match self {
            Self::Id => {
                let ids: Vec<ByteArray> = calls.map(|call| text(call.text("id"))).collect();
                out.typed::<ByteArrayType>().write_batch(&ids, None, None).map(drop)
            }
            Self::Text(read) => maybe::<ByteArrayType>(calls.map(|it| read(it).map(text)), out),
            Self::Texts(read) => lists(calls.map(read), out),
            Self::Small(key) => {
                let number =
                    |call: Brief<'_>| i32::try_from(call.value(key).and_then(Value::as_i64)?).ok();
                maybe::<Int32Type>(calls.map(number), out)
            }
            Self::Whole(read) => maybe::<Int64Type>(calls.map(read), out),
            Self::Flag(key) => {
                let flag =
                    |call: Brief<'_>| call.value(key).and_then(Value::as_bool).unwrap_or_default();
                let flags: Vec<bool> = calls.map(flag).collect();
                out.typed::<BoolType>().write_batch(&flags, None, None).map(drop)
            }
            Self::Amount => maybe::<FixedLenByteArrayType>(calls.map(amount), out),
        }
    }
}

/// Values of which some are not there: a level says which are.
fn maybe<T: DataType>(
    values: impl Iterator<Item = Option<T::T>>,
    out: &mut SerializedColumnWriter<'_>,
) -> Result<(), ParquetError> {
    let (mut levels, mut there) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    out.typed::<T>().write_batch(&there, Some(&levels), None).map(drop)
}

/// Lists: the first of each list begins a row, and an empty one has a level for itself.
fn lists(
    values: impl Iterator<Item = Vec<String>>,
    out: &mut SerializedColumnWriter<'_>,
) -> Result<(), ParquetError> {
    let (mut there, mut again, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for list in values {
        if list.is_empty() {
            there.push(0);
            again.push(0);
        }
        for (place, text) in list.into_iter().enumerate() {
            there.push(1);
            again.push(i16::from(place > 0));
            texts.push(ByteArray::from(text.into_bytes()));
        }
    }
    out.typed::<ByteArrayType>().write_batch(&texts, Some(&there), Some(&again)).map(drop)
}

/// What it costs, in billionths, as a decimal of 38 digits has it.
fn amount(call: Brief<'_>) -> Option<FixedLenByteArray> {
    let text = format!("{} {}", call.of("cost", "total")?, call.of("cost", "currency")?);
    let billionths = text.parse::<Cost>().ok()?.billionths;
    let billionths = i128::try_from(billionths).ok().filter(|it| *it < MOST)?;
    Some(ByteArray::from(billionths.to_be_bytes().to_vec()).into())
}

/// A time, in milliseconds since 1970.
fn moment(call: Brief<'_>, key: &str) -> Option<i64> {
    i64::try_from(call.moment(key)?.as_millis()).ok()
}

const COLUMNS: [Column; 20] = [
    Column::Id,
    Column::Text(|call| call.maybe("direction")),
    Column::Text(|call| call.maybe("status")),
    Column::Text(|call| call.maybe("end_reason")),
    Column::Small("q850"),
    Column::Text(|call| call.of("from", "number")),
    Column::Text(|call| call.of("from", "name")),
    Column::Text(|call| call.of("to", "number")),
    Column::Text(|call| call.maybe("tenant")),
    Column::Text(|call| call.maybe("trunk")),
    Column::Text(|call| call.maybe("route")),
    Column::Texts(|call| call.agents()),
    Column::Whole(|call| moment(call, "started_at")),
    Column::Whole(|call| moment(call, "answered_at")),
    Column::Whole(|call| moment(call, "ended_at")),
    Column::Whole(|call| call.value("duration_ms").and_then(Value::as_i64)),
    Column::Whole(|call| i64::try_from(call.talked()?).ok()),
    Column::Flag("recorded"),
    Column::Amount,
    Column::Text(|call| call.of("cost", "currency")),
];

/// The columns, as `COLUMNS` fills them: those of the spreadsheet, under the same names.
const SCHEMA: &str = "message calls {
    required binary id (STRING);
    optional binary direction (STRING);
    optional binary status (STRING);
    optional binary end_reason (STRING);
    optional int32 q850;
    optional binary from (STRING);
    optional binary from_name (STRING);
    optional binary to (STRING);
    optional binary tenant (STRING);
    optional binary trunk (STRING);
    optional binary route (STRING);
    required group agents (LIST) { repeated group list { required binary element (STRING); } }
    optional int64 started_at (TIMESTAMP(MILLIS,true));
    optional int64 answered_at (TIMESTAMP(MILLIS,true));
    optional int64 ended_at (TIMESTAMP(MILLIS,true));
    optional int64 duration_ms;
    optional int64 talk_ms;
    required boolean recorded;
    optional fixed_len_byte_array(16) cost (DECIMAL(38,9));
    optional binary currency (STRING);
}";

/// How many rows stand in one group, and in memory.
const GROUP: usize = 4_096;

/// A decimal of 38 digits is smaller.
const MOST: i128 = 10_i128.pow(38);

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use serde_json::json;

    #[test]
    fn a_table_is_sent_group_by_group_and_read_as_it_was_written() {
        let mut table = Table::new().expect("columns");
        let (mut file, mut sent_before) = (Vec::new(), 0);
        for number in 0..10_000 {
            let agents = &["desk", "billing"][..number % 3];
            let record = json!({ "id": format!("call_{number}"), "agents": agents, "q850": 16,
                "from": { "number": "=1+1", "name": null }, "recorded": number % 2 == 0,
                "started_at": "2026-11-22T10:00:00.001Z", "duration_ms": number,
                "cost": { "total": "0.000000525", "currency": "EUR" } });
            file.extend(table.put(&format!("{record}\n")).expect("a record"));
            assert!(table.rows.len() < GROUP);
            sent_before = file.len();
        }
        file.extend(table.end().expect("an end"));
        assert!(sent_before > file.len() / 2);
        let file = SerializedFileReader::new(Bytes::from(file)).expect("a file");
        assert_eq!(file.metadata().num_row_groups(), 3);
        let rows: Vec<Value> = file
            .get_row_iter(None)
            .expect("rows")
            .map(|row| {
                let columns = row.expect("a row").into_columns();
                columns.into_iter().map(|(name, field)| (name, json!(field.to_string()))).collect()
            })
            .collect();
        assert_eq!(rows.len(), 10_000);
        let row = &rows[9_998];
        let told =
            ["id", "q850", "from", "from_name", "agents", "started_at", "duration_ms", "cost"];
        let told = told.map(|name| row[name].as_str().expect("a text"));
        assert_eq!(
            told,
            [
                "\"call_9998\"",
                "16",
                "\"=1+1\"",
                "null",
                "[\"desk\", \"billing\"]",
                "2026-11-22 10:00:00.001 +00:00",
                "9998",
                "0.000000525"
            ]
        );
        assert_eq!((&rows[9_999]["agents"], &rows[0]["recorded"]), (&json!("[]"), &json!("true")));
    }

    #[test]
    fn a_table_of_nothing_is_a_table() {
        let file = Table::new().and_then(Table::end).expect("a file");
        let file = SerializedFileReader::new(Bytes::from(file)).expect("a file");
        assert_eq!(file.metadata().file_metadata().num_rows(), 0);
        assert_eq!(file.metadata().file_metadata().schema_descr().num_columns(), COLUMNS.len());
    }

    #[test]
    fn what_is_no_record_is_refused_and_a_strange_one_leaves_gaps() {
        let mut table = Table::new().expect("columns");
        assert!(table.put("[]\n").is_err());
        let strange = json!({ "id": 5, "q850": 1e30, "agents": "x", "from": [], "cost": { "total":
            "1", "currency": "much" }, "started_at": "soon", "recorded": "yes", "duration_ms": -1 });
        assert!(table.put(&format!("{strange}\n")).is_ok());
        assert!(table.end().is_ok());
    }
}
