//! The lines of the table: sorted rows, under the names of their groups.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::model::{Row, Table};
use super::settings::Settings;
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
    /// Its rows: index, row, and the length of the part of the label that is already shown.
    rows: Vec<(usize, &'t Row, usize)>,
    groups: BTreeMap<&'t str, Node<'t>>,
}

impl List {
    /// Builds the lines of a table.
    pub(crate) fn new(table: &Table, settings: &Settings) -> List {
        let mut root = Node::default();
        let mut list = List::default();
        for (index, row) in table.rows().filter(|(_, row)| settings.accepts(row)) {
            root.insert(index, row, settings.grouping);
            list.rows += 1;
        }
        root.dissolve_single_rows(settings.grouping);
        list.add(root, "", 0, settings);
        list
    }

    fn add(&mut self, mut node: Node<'_>, path: &str, depth: usize, settings: &Settings) {
        node.rows.sort_by(|(_, one, _), (_, other, _)| compare(one, other, settings));
        for (index, row, skip) in node.rows {
            self.lines.push(Line::Row { index, id: row.id, depth, skip });
        }
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
    fn insert(&mut self, index: usize, row: &'t Row, grouping: Grouping) {
        let label = &*row.label;
        let name = base_name(label);
        match grouping {
            Grouping::None => self.rows.push((index, row, 0)),
            Grouping::File | Grouping::Process => {
                self.group(row.group.as_deref().unwrap_or_default()).rows.push((index, row, 0));
            }
            Grouping::Dimension if name.len() < label.len() => {
                self.group(name).rows.push((index, row, name.len()));
            }
            Grouping::Dimension => self.rows.push((index, row, 0)),
            Grouping::Prefix => {
                let last = name.rfind('.').map_or(0, |dot| dot + 1);
                let (mut node, mut skip) = (self, 0);
                for part in name[..last].split_terminator('.').take(MAX_DEPTH) {
                    node = node.group(part);
                    skip += part.len() + 1;
                }
                node.rows.push((index, row, skip));
            }
        }
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
            match &group.rows[..] {
                [(index, row, skip)] if group.groups.is_empty() => {
                    // The group's name, and the dot after it if there is one.
                    let dot = usize::from(grouping == Grouping::Prefix);
                    rows.push((*index, row, skip - name.len() - dot));
                    false
                }
                _ => true,
            }
        });
    }

    fn count(&self) -> usize {
        self.rows.len() + self.groups.values().map(Node::count).sum::<usize>()
    }

    fn is_dead(&self) -> bool {
        self.rows.iter().all(|(_, row, _)| row.is_dead()) && self.groups.values().all(Node::is_dead)
    }
}

/// Returns a label without its dimensions.
fn base_name(label: &str) -> &str {
    label.find('{').map_or(label, |brace| &label[..brace])
}

fn compare(one: &Row, other: &Row, settings: &Settings) -> Ordering {
    let by_name = || {
        one.label
            .cmp(&other.label)
            .then_with(|| one.group.cmp(&other.group))
            .then(one.id.cmp(&other.id))
    };
    let aggregation = settings.aggregation;
    let numbers = match settings.sort {
        Sort::Name => return if settings.is_ascending() { by_name() } else { by_name().reverse() },
        Sort::Value => [one.scaled(aggregation), other.scaled(aggregation)],
        Sort::Rate => [one.scaled_rate(), other.scaled_rate()],
    };
    let order = match numbers.map(|number| number.filter(|number| !number.is_nan())) {
        [Some(one), Some(other)] if settings.is_ascending() => one.total_cmp(&other),
        [Some(one), Some(other)] => other.total_cmp(&one),
        // Rows without a number are last in both orders.
        [one, other] => one.is_none().cmp(&other.is_none()),
    };
    order.then_with(by_name)
}
