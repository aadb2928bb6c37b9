//! The lines of the table: rows in their order, under the names of their groups.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::model::{Row, Table};
use super::settings::Settings;
use crate::options::top::{Grouping, Sort};

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// The name of a group.
    Group(Group),
    /// A row.
    Row {
        /// Its place in the table of rows.
        place: usize,
        id: u64,
        /// How many groups it is in.
        depth: usize,
        /// Where in its label begins what its groups do not say.
        skip: usize,
    },
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// What no other group is called.
    pub(crate) path: String,
    /// The part of it that the groups around do not say.
    pub(crate) name: String,
    pub(crate) depth: usize,
    /// How many rows are in it.
    pub(crate) rows: usize,
    pub(crate) is_folded: bool,
    /// Whether all its writers are dead.
    pub(crate) is_dead: bool,
}

/// What a line is, so that it is found again in another order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Identity {
    Group(String),
    Row(u64),
}

impl Line {
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Line::Group(group) => Identity::Group(group.path.clone()),
            Line::Row { id, .. } => Identity::Row(*id),
        }
    }

    pub(crate) fn depth(&self) -> usize {
        match self {
            Line::Group(group) => group.depth,
            Line::Row { depth, .. } => *depth,
        }
    }
}

/// The lines, and of how many rows they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    pub(crate) lines: Vec<Line>,
    /// Rows that are shown, folded ones included.
    pub(crate) rows: usize,
}

/// A group while the list is made.
#[derive(Default)]
struct Node<'t> {
    /// Its rows, and where in their labels begins what is not said yet.
    rows: Vec<(usize, &'t Row, usize)>,
    groups: BTreeMap<&'t str, Node<'t>>,
}

impl List {
    /// The lines of this table.
    pub(crate) fn new(table: &Table, settings: &Settings) -> List {
        let mut root = Node::default();
        let mut list = List::default();
        for (place, row) in table.rows().filter(|(_, row)| settings.accepts(row)) {
            root.place(place, row, settings.grouping);
            list.rows += 1;
        }
        root.dissolve_single(settings.grouping);
        list.add(root, "", 0, settings);
        list
    }

    fn add(&mut self, mut node: Node<'_>, path: &str, depth: usize, settings: &Settings) {
        node.rows.sort_by(|(_, one, _), (_, other, _)| compare(one, other, settings));
        for (place, row, skip) in node.rows {
            self.lines.push(Line::Row { place, id: row.id, depth, skip });
        }
        for (name, node) in node.groups {
            let (mut name, mut node) = (name.to_owned(), node);
            // A group of nothing but one group is no group of its own.
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
            let group = Group {
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

    /// Where the line is that was this one.
    pub(crate) fn find(&self, identity: &Identity) -> Option<usize> {
        self.lines.iter().position(|line| match (line, identity) {
            (Line::Group(group), Identity::Group(path)) => group.path == *path,
            (Line::Row { id, .. }, Identity::Row(wanted)) => id == wanted,
            _ => false,
        })
    }
}

/// Groups within groups: a label may have more dots than a stack has room.
const DEEPEST: usize = 32;

impl<'t> Node<'t> {
    fn place(&mut self, place: usize, row: &'t Row, grouping: Grouping) {
        let label = &*row.label;
        let name = name(label);
        match grouping {
            Grouping::None => self.rows.push((place, row, 0)),
            Grouping::File | Grouping::Process => {
                self.group(row.group.as_deref().unwrap_or_default()).rows.push((place, row, 0))
            }
            Grouping::Dimension if name.len() < label.len() => {
                self.group(name).rows.push((place, row, name.len()))
            }
            Grouping::Dimension => self.rows.push((place, row, 0)),
            Grouping::Prefix => {
                let last = name.rfind('.').map_or(0, |dot| dot + 1);
                let (mut node, mut skip) = (self, 0);
                for part in name[..last].split_terminator('.').take(DEEPEST) {
                    node = node.group(part);
                    skip += part.len() + 1;
                }
                node.rows.push((place, row, skip));
            }
        }
    }

    fn group(&mut self, name: &'t str) -> &mut Node<'t> {
        self.groups.entry(name).or_default()
    }

    /// A row that is alone in its group needs no line that tells the group's name.
    fn dissolve_single(&mut self, grouping: Grouping) {
        let rows = &mut self.rows;
        match grouping {
            Grouping::Prefix | Grouping::Dimension => {}
            Grouping::None | Grouping::Process | Grouping::File => return,
        }
        self.groups.retain(|name, group| {
            group.dissolve_single(grouping);
            match &group.rows[..] {
                [(place, row, skip)] if group.groups.is_empty() => {
                    // The group's name, and the dot behind it, if there is one.
                    let dot = usize::from(grouping == Grouping::Prefix);
                    rows.push((*place, row, skip - name.len() - dot));
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

/// A label without its dimensions.
fn name(label: &str) -> &str {
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
        // What has no number comes last in either order.
        [one, other] => one.is_none().cmp(&other.is_none()),
    };
    order.then_with(by_name)
}
