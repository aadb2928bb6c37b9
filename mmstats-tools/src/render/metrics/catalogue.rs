//! Which families a page has, and which fields they are made of.
//!
//! Two labels can make one name (`a.b` and `a_b`), and one label can have two types in two files.
//! Such families are never merged. The one whose label comes first in the alphabet keeps the name,
//! so that it does not matter in which order files are found; the others are left out, and that is
//! reported.

use std::collections::{HashMap, HashSet};

use mmstats_std::read::Field;

use super::LeftOut;
use super::family::{Family, Type};
use super::histogram::Bounds;
use super::name::Name;
use super::page::Layout;
use crate::labels::Labels;

/// All families, each with its fields.
pub(super) struct Catalogue {
    pub(super) families: Vec<(Family, Vec<Member>)>,
    /// What cannot be shown.
    pub(super) left_out: Vec<LeftOut>,
}

/// A field of a layout, which belongs to a family.
pub(super) struct Member {
    pub(super) layout: usize,
    pub(super) field: usize,
    /// As labels.
    pub(super) dimensions: String,
    pub(super) bounds: Bounds,
}

/// A field that is wanted. Those that agree in base, type and unit are one family.
struct Candidate<'l> {
    name: Name<'l>,
    ty: Type,
    field: &'l Field,
    layout: usize,
    index: usize,
}

impl<'l> Candidate<'l> {
    fn key(&self) -> (&'l str, Type, &'l str) {
        (self.name.base, self.ty, &self.field.unit)
    }
}

impl Catalogue {
    /// The families of these layouts' fields. `own` are those that pages have themselves.
    pub(super) fn new(layouts: &[Layout<'_>], labels: &Labels, own: &[Family]) -> Self {
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for (layout, Layout { fields, identity, .. }) in layouts.iter().enumerate() {
            for (index, field) in fields.iter().enumerate() {
                if labels.accept(&field.label) && !identity.contains(index) {
                    let ty = Type::of(field);
                    candidates.push(Candidate {
                        name: Name::new(&field.label, ty),
                        ty,
                        field,
                        layout,
                        index,
                    });
                }
            }
        }
        candidates.sort_by_key(Candidate::key);
        let mut claimed = Claims::default();
        own.iter().for_each(|family| claimed.claim(family, "mmstats' own"));
        let mut catalogue = Catalogue { families: Vec::new(), left_out: Vec::new() };
        for group in candidates.chunk_by(|one, other| one.key() == other.key()) {
            catalogue.add(group, layouts, &mut claimed);
        }
        catalogue
    }

    fn add(&mut self, group: &[Candidate<'_>], layouts: &[Layout<'_>], claimed: &mut Claims) {
        let Some(first) = group.first() else { return };
        let (base, ty, unit) = first.key();
        let help = group
            .iter()
            .map(|candidate| &candidate.field.help[..])
            .find(|help| !help.trim().is_empty());
        let family = Family::new(base, ty, unit, help.unwrap_or_default());
        let file = |layout: usize| layouts.get(layout).and_then(Layout::path);
        if let Some((name, other)) = claimed.find(&family) {
            let why = format!(
                "left out: as {}, it would be {name}, which is taken by {other}",
                described(ty, unit)
            );
            self.left_out.push(LeftOut { file: file(first.layout), label: base.to_owned(), why });
            return;
        }
        claimed.claim(&family, &format!("{base} ({})", described(ty, unit)));
        let mut series = HashSet::new();
        let mut members = Vec::with_capacity(group.len());
        for candidate in group {
            let dimensions = candidate.name.dimensions.clone();
            if !series.insert((candidate.layout, dimensions.clone())) {
                let file = file(candidate.layout);
                let why = match file {
                    Some(_) => "left out: another field of the same file gives the same series",
                    // All else would be in one sum.
                    None => {
                        "left out: the histogram that is shown has another scale, and so other bounds"
                    }
                };
                self.left_out.push(LeftOut {
                    file,
                    label: candidate.field.label.clone(),
                    why: why.to_owned(),
                });
                continue;
            }
            let bounds = Bounds::of(candidate.field);
            members.push(Member {
                layout: candidate.layout,
                field: candidate.index,
                dimensions,
                bounds,
            });
        }
        self.families.push((family, members));
    }
}

fn described(ty: Type, unit: &str) -> String {
    let name = match ty {
        Type::Counter => "a counter",
        Type::Gauge => "a gauge",
        Type::Histogram => "a histogram",
        Type::Info => "a text or constant",
        Type::Unknown => "a number of unknown kind",
    };
    if unit.is_empty() { name.to_owned() } else { format!("{name} in {unit}") }
}

/// Names that are in use, and by whom.
#[derive(Default)]
struct Claims(HashMap<String, String>);

impl Claims {
    fn claim(&mut self, family: &Family, owner: &str) {
        self.0.extend(family.names().map(|name| (name, owner.to_owned())));
    }

    /// The first of a family's names that is taken, and by whom.
    fn find(&self, family: &Family) -> Option<(String, &str)> {
        family.names().find_map(|name| {
            let owner = self.0.get(&name)?;
            Some((name, &owner[..]))
        })
    }
}
