//! Rows, and which fields of which writers belong to them.
//!
//! The row of a field is found by its label once, when its writer appears; later scrapes only add
//! values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use mmstats_std::identity::ProcessId;
use mmstats_std::read::Field;

use super::row::{Row, RowKey};
use super::writer::Writer;
use crate::escape::EscapedPath;
use crate::series::distinguish_process;

/// Which writers share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All writers.
    All,
    /// Writers of one process.
    Process,
    /// Each writer alone.
    File,
}

/// Rows by their places, which do not change.
pub(crate) struct Table {
    pub(crate) scope: Scope,
    rows: Vec<Option<Row>>,
    free: Vec<usize>,
    by_key: HashMap<RowKey, usize>,
    /// The places of all rows, sorted by group and label.
    order: Vec<usize>,
    links: BTreeMap<u64, WriterRows>,
    /// The groups of processes. No two have the same name.
    processes: HashMap<ProcessId, Arc<str>>,
    last_id: u64,
    /// Counts scrapes.
    round: u64,
    longest: usize,
    /// Counts added and removed rows.
    pub(crate) changes: u64,
}

/// The rows of a writer's fields.
struct WriterRows {
    fields: Arc<[Field]>,
    /// The row of each.
    rows: Vec<usize>,
}

impl Table {
    pub(super) fn new(scope: Scope) -> Self {
        Table {
            scope,
            rows: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            order: Vec::new(),
            links: BTreeMap::new(),
            processes: HashMap::new(),
            last_id: 0,
            round: 0,
            longest: 0,
            changes: 0,
        }
    }

    /// Returns the rows with their places, sorted by group and label.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.order.iter().filter_map(|place| Some((*place, self.get(*place)?)))
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the length of the longest label so far, in characters.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Returns the row at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&Row> {
        self.rows.get(place)?.as_ref()
    }

    /// Returns the ids of a row's writers with the indices of their fields.
    pub(super) fn links(&self, row: &Row) -> impl Iterator<Item = (&u64, usize)> {
        let place = row.place;
        let field = move |link: &WriterRows| link.rows.iter().position(|other| *other == place);
        self.links.iter().filter_map(move |(id, link)| Some((id, field(link)?)))
    }

    /// Adds a scrape. `passed` are the seconds since the previous one.
    pub(super) fn update(
        &mut self,
        writers: &BTreeMap<u64, Writer>,
        gone: &[Writer],
        passed: Option<f64>,
    ) {
        for writer in gone {
            self.retire(writer);
        }
        if !gone.is_empty() {
            let present: HashSet<_> =
                writers.values().filter_map(|writer| writer.writer_id.process.as_ref()).collect();
            self.processes.retain(|process, _| present.contains(process));
        }
        self.round += 1;
        let changes = self.changes;
        for (id, writer) in writers {
            if !self.links.get(id).is_some_and(|link| Arc::ptr_eq(&link.fields, &writer.fields)) {
                self.link(*id, writer);
            }
            let Some(link) = self.links.get(id) else { continue };
            for (index, place) in link.rows.iter().enumerate() {
                if let Some(Some(row)) = self.rows.get_mut(*place) {
                    row.add(writer, index, self.round);
                }
            }
        }
        for (place, slot) in self.rows.iter_mut().enumerate() {
            match slot {
                Some(row) if row.round == self.round => row.end_scrape(passed),
                Some(_) => {
                    *slot = None;
                    self.free.push(place);
                    self.changes += 1;
                }
                None => {}
            }
        }
        if self.changes != changes {
            self.update_order();
        }
    }

    /// Drops the places of removed rows and sorts in those of new ones.
    fn update_order(&mut self) {
        let rows = &self.rows;
        self.by_key.retain(|_, place| rows[*place].is_some());
        self.order.retain(|place| rows[*place].is_some());
        let name = |place: usize| rows[place].as_ref().map(|row| (&row.group, &row.label, row.id));
        self.order.sort_by(|one, other| name(*one).cmp(&name(*other)));
    }

    fn retire(&mut self, writer: &Writer) {
        let Some(link) = self.links.remove(&writer.writer_id.id) else { return };
        for (index, place) in link.rows.iter().enumerate() {
            if let Some(Some(row)) = self.rows.get_mut(*place) {
                row.retire(writer, index);
            }
        }
    }

    fn link(&mut self, id: u64, writer: &Writer) {
        let group = self.group(writer);
        let rows = writer.fields.iter().map(|field| self.place(field, group.clone())).collect();
        self.links.insert(id, WriterRows { fields: writer.fields.clone(), rows });
    }

    fn group(&mut self, writer: &Writer) -> Option<Arc<str>> {
        match (self.scope, &writer.writer_id.process) {
            (Scope::All, _) => None,
            (Scope::Process, Some(process)) => Some(self.process_group(process, writer)),
            _ => Some(EscapedPath::new(&writer.writer_id.name).to_string().into()),
        }
    }

    /// Returns the group of a process: its PID and command, and what distinguishes it from others
    /// that have the same.
    fn process_group(&mut self, process: &ProcessId, writer: &Writer) -> Arc<str> {
        if let Some(group) = self.processes.get(process) {
            return group.clone();
        }
        let mut name = format!("{} {}", process.pid(), writer.command().unwrap_or_default());
        name.truncate(name.trim_end().len());
        let others: Vec<_> =
            self.processes.keys().filter(|other| other.pid() == process.pid()).collect();
        if !others.is_empty() {
            let note = distinguish_process(process, &others);
            name = format!("{name} ({})", note.as_deref().unwrap_or("own pid namespace"));
        }
        let group: Arc<str> = name.into();
        self.processes.insert(process.clone(), group.clone());
        group
    }

    fn place(&mut self, field: &Field, group: Option<Arc<str>>) -> usize {
        let key = RowKey::new(field, group.clone());
        if let Some(place) = self.by_key.get(&key) {
            return *place;
        }
        self.last_id += 1;
        self.changes += 1;
        self.longest = self.longest.max(field.label.chars().count());
        let place = self.free.pop().unwrap_or(self.rows.len());
        if place == self.rows.len() {
            self.rows.push(None);
        }
        self.rows[place] = Some(Row::new(self.last_id, place, field, group));
        self.by_key.insert(key, place);
        self.order.push(place);
        place
    }
}
