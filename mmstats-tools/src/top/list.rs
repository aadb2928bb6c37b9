//! The lines of the table: sorted rows, under the names of their groups.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::model::{Row, Table};
use super::settings::ViewSettings;
use crate::dimensions::base_name;
use crate::options::top::{Grouping, Sort};

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// A group.
    Group(GroupLine),
    /// A row.
    Row {
        /// Its index in the table of rows.
        index: usize,
        id: u64,
        /// The number of groups around it.
        depth: usize,
        /// The length of the part of its label that its groups already show.
        skip: usize,
    },
}

/// A group of rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupLine {
    /// Unique among groups.
    pub(crate) path: String,
    /// The part of the path that the groups around do not show.
    pub(crate) name: String,
    pub(crate) depth: usize,
    /// The number of its rows.
    pub(crate) rows: usize,
    pub(crate) is_folded: bool,
    /// Whether all writers of its rows are dead.
    pub(crate) is_dead: bool,
}

/// The identity of a line, to find it again when the order changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LineId {
    Group(String),
    Row(u64),
}

impl Line {
    pub(crate) fn id(&self) -> LineId {
        match self {
            Line::Group(group) => LineId::Group(group.path.clone()),
            Line::Row { id, .. } => LineId::Row(*id),
        }
    }

    pub(crate) fn depth(&self) -> usize {
        match self {
            Line::Group(group) => group.depth,
            Line::Row { depth, .. } => *depth,
        }
    }
}

/// All lines of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) lines: Vec<Line>,
    /// The number of rows that the settings accept, including folded ones.
    pub(crate) rows: usize,
}

/// A group while the list is built.
#[derive(Default)]
struct Node<'t> {
    rows: Vec<ListEntry<'t>>,
    groups: BTreeMap<&'t str, Node<'t>>,
}

/// A row while the list is built.
struct ListEntry<'t> {
    row: &'t Row,
    index: usize,
    /// Its position in the order of names.
    rank: usize,
    /// The number to sort by.
    number: Option<f64>,
    /// The length of the part of its label that its groups already show.
    skip: usize,
}

impl List {
    /// Builds the lines of a table.
    pub(crate) fn new(table: &Table, settings: &ViewSettings) -> List {
        let entries = table.rows().enumerate().filter(|(_, (_, row))| settings.accepts(row));
        let entries: Vec<_> = entries
            .map(|(rank, (index, row))| {
                let number = settings.sort_number(row).filter(|number| !number.is_nan());
                ListEntry { row, index, rank, number, skip: 0 }
            })
            .collect();
        let mut list = List { lines: Vec::with_capacity(entries.len()), rows: entries.len() };
        let mut root = Node::new(entries, settings.grouping);
        root.dissolve_single_rows(settings.grouping);
        list.add(root, "", 0, settings);
        list
    }

    fn add(&mut self, mut node: Node<'_>, path: &str, depth: usize, settings: &ViewSettings) {
        node.rows.sort_by(|one, other| compare(one, other, settings));
        self.lines.extend(node.rows.iter().map(|entry| Line::Row {
            index: entry.index,
            id: entry.row.id,
            depth,
            skip: entry.skip,
        }));
        for (name, node) in node.groups {
            let (mut name, mut node) = (name.to_owned(), node);
            // A group that contains only one group is merged with it.
            while settings.grouping == Grouping::Prefix
                && node.rows.is_empty()
                && node.groups.len() == 1
            {
                if let Some((inner, only)) = node.groups.pop_first() {
                    name = format!("{name}.{inner}");
                    node = only;
                }
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let is_folded = settings.folds.is_folded(&path);
            let group = GroupLine {
                path: path.clone(),
                name,
                depth,
                rows: node.count(),
                is_folded,
                is_dead: node.is_dead(),
            };
            self.lines.push(Line::Group(group));
            if !is_folded {
                self.add(node, &path, depth + 1, settings);
            }
        }
    }

    /// Returns the index of a line.
    pub(crate) fn find(&self, id: &LineId) -> Option<usize> {
        self.lines.iter().position(|line| match (line, id) {
            (Line::Group(group), LineId::Group(path)) => group.path == *path,
            (Line::Row { id, .. }, LineId::Row(wanted)) => id == wanted,
            _ => false,
        })
    }
}

/// The greatest depth of groups, as labels may have more dots than recursion has stack.
const MAX_DEPTH: usize = 32;

impl<'t> Node<'t> {
    fn new(entries: Vec<ListEntry<'t>>, grouping: Grouping) -> Self {
        let mut root = Node::default();
        match grouping {
            Grouping::None => root.rows = entries,
            // The order of names is that of groups first.
            Grouping::File | Grouping::Process => {
                let mut entries = entries.into_iter().peekable();
                while let Some(first) = entries.next() {
                    let group = &first.row.group;
                    let rows = &mut root.group(group.as_deref().unwrap_or_default()).rows;
                    rows.push(first);
                    while let Some(entry) = entries.next_if(|entry| entry.row.group == *group) {
                        rows.push(entry);
                    }
                }
            }
            Grouping::Dimension | Grouping::Prefix => {
                entries.into_iter().for_each(|entry| root.insert(entry, grouping));
            }
        }
        root
    }

    fn insert(&mut self, mut entry: ListEntry<'t>, grouping: Grouping) {
        let label = &*entry.row.label;
        let name = base_name(label);
        let mut node = self;
        if grouping == Grouping::Prefix {
            let last = name.rfind('.').map_or(0, |dot| dot + 1);
            for part in name[..last].split_terminator('.').take(MAX_DEPTH) {
                node = node.group(part);
                entry.skip += part.len() + 1;
            }
        } else if name.len() < label.len() {
            node = node.group(name);
            entry.skip = name.len();
        }
        node.rows.push(entry);
    }

    fn group(&mut self, name: &'t str) -> &mut Node<'t> {
        self.groups.entry(name).or_default()
    }

    /// Moves the rows of groups with a single row into the parent.
    fn dissolve_single_rows(&mut self, grouping: Grouping) {
        let rows = &mut self.rows;
        match grouping {
            Grouping::Prefix | Grouping::Dimension => {}
            Grouping::None | Grouping::Process | Grouping::File => return,
        }
        self.groups.retain(|name, group| {
            group.dissolve_single_rows(grouping);
            if group.rows.len() != 1 || !group.groups.is_empty() {
                return true;
            }
            // The group's name, and the dot after it if there is one.
            let shown = name.len() + usize::from(grouping == Grouping::Prefix);
            rows.extend(group.rows.pop().map(|row| ListEntry { skip: row.skip - shown, ..row }));
            false
        });
    }

    fn count(&self) -> usize {
        self.rows.len() + self.groups.values().map(Node::count).sum::<usize>()
    }

    fn is_dead(&self) -> bool {
        self.rows.iter().all(|entry| entry.row.is_dead()) && self.groups.values().all(Node::is_dead)
    }
}

fn compare(one: &ListEntry<'_>, other: &ListEntry<'_>, settings: &ViewSettings) -> Ordering {
    let by_name = one.rank.cmp(&other.rank);
    let order = match (one.number, other.number) {
        _ if settings.sort == Sort::Name && settings.is_reversed => return by_name.reverse(),
        (Some(one), Some(other)) if settings.is_ascending() => one.total_cmp(&other),
        (Some(one), Some(other)) => other.total_cmp(&one),
        // Rows without a number are last in both orders.
        (one, other) => one.is_none().cmp(&other.is_none()),
    };
    order.then(by_name)
}
