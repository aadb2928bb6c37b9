//! Rows for programs: JSON and CSV.

use std::collections::HashSet;
use std::fmt::Write;
use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::cell::{GroupRow, Value, rfc_3339};
use super::group::Group;
use crate::escape::Escaped;
use crate::options::poll::GroupBy;
use crate::render::json::write_object;

/// A row as a JSON object.
struct Object<'r> {
    row: &'r GroupRow,
    names: &'r [String],
    by: Option<GroupBy>,
}

/// Values by column name; the first one of columns with the same name.
struct Values<'r>(&'r GroupRow, &'r [String]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &rfc_3339(self.row.time))?;
        map.serialize_entry("seconds", &self.row.seconds)?;
        if self.row.is_total {
            map.serialize_entry("total", &true)?;
        }
        if let Some(by) = self.by {
            map.serialize_entry(Group::title(by), &self.row.group)?;
            if let Some(note) = &self.row.note {
                map.serialize_entry("note", note)?;
            }
        }
        map.serialize_entry("values", &Values(self.row, self.names))?;
        map.end()
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Values(row, names) = self;
        let mut written = HashSet::new();
        serializer
            .collect_map(names.iter().zip(&row.cells).filter(|(name, _)| written.insert(*name)))
    }
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Group::Process(process) => serializer.serialize_u32(process.pid()),
            Group::Thread(tid, _) => serializer.serialize_i128(*tid),
            Group::File(path) => serializer.serialize_str(path),
            Group::All | Group::Unknown => serializer.serialize_none(),
        }
    }
}

/// Formats a row as a line of JSON.
///
/// # Errors
/// Only those of `serde_json`.
pub(super) fn json(row: &GroupRow, names: &[String], by: Option<GroupBy>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    write_object(&mut line, &Object { row, names, by })?;
    Ok(line)
}

/// Returns the header line of CSV.
pub(super) fn csv_header(names: &[String], by: Option<GroupBy>) -> String {
    let first = ["time", "seconds"].into_iter().chain(by.map(Group::title));
    csv_line(first.chain(names.iter().map(String::as_str)))
}

/// Formats a row as a line of CSV. Missing values are empty.
pub(super) fn csv(row: &GroupRow, by: Option<GroupBy>) -> String {
    let seconds = row.seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    let group =
        by.map(|_| if row.group == Group::Unknown { String::new() } else { row.group_text() });
    let cells = row.cells.iter().map(|cell| match &cell.value {
        Value::Missing => String::new(),
        Value::Rate(value) if value.is_finite() => value.to_string(),
        _ => cell.plain(),
    });
    let fields: Vec<String> =
        [rfc_3339(row.time), seconds].into_iter().chain(group).chain(cells).collect();
    csv_line(fields.iter().map(String::as_str))
}

fn csv_line<'f>(fields: impl Iterator<Item = &'f str>) -> String {
    let mut line = String::new();
    for (at, field) in fields.enumerate() {
        if at > 0 {
            line.push(',');
        }
        let field = Escaped(field).to_string();
        if field.contains([',', '"']) {
            // Writing to a `String` cannot fail.
            let _ = write!(line, "\"{}\"", field.replace('"', "\"\""));
        } else {
            line.push_str(&field);
        }
    }
    line + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_or_quotes_are_quoted() {
        let fields = ["a", "b,c", "d\"e", "", "f\ng\u{1b}"];
        assert_eq!(csv_line(fields.into_iter()), "a,\"b,c\",\"d\"\"e\",,f\\ng\\x1b\r\n");
    }
}
