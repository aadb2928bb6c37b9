//! Groups the fields of a page into metric families.
//!
//! Two labels can map to one name (`a.b` and `a_b`), and one label can have two types in two files.
//! Such families are never merged: the first in alphabetical order of labels keeps the name, so
//! that the order of files does not matter; the others are dropped and reported.

use std::collections::{HashMap, HashSet};

use mmstats_std::read::Field;

use super::DroppedField;
use super::encoder::Layout;
use super::family::{Family, Type};
use super::histogram::Bounds;
use super::name::Name;
use crate::labels::Labels;

/// All families with their fields.
pub(super) struct Families {
    pub(super) families: Vec<(Family, Vec<FamilyMember>)>,
    /// Fields that cannot be exported.
    pub(super) dropped: Vec<DroppedField>,
}

/// A field of a layout that belongs to a family.
pub(super) struct FamilyMember {
    pub(super) layout: usize,
    pub(super) field: usize,
    /// Rendered as labels.
    pub(super) dimensions: String,
    pub(super) bounds: Bounds,
}

/// A field to export. Fields with the same base, type and unit form one family.
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

impl Families {
    /// Groups the fields of these layouts. `own` are the families about the page itself.
    pub(super) fn new(layouts: &[Layout<'_>], labels: &Labels, own: &[Family]) -> Self {
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for (layout, Layout { fields, identity, .. }) in layouts.iter().enumerate() {
            for (index, field) in fields.iter().enumerate() {
                if labels.accept(&field.label) && !identity.contains(index) {
                    let ty = Type::from_field(field);
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
        let mut claims = NameClaims::default();
        own.iter().for_each(|family| claims.claim(family, "mmstats' own"));
        let mut families = Families { families: Vec::new(), dropped: Vec::new() };
        for group in candidates.chunk_by(|one, other| one.key() == other.key()) {
            families.add(group, layouts, &mut claims);
        }
        families
    }

    fn add(&mut self, group: &[Candidate<'_>], layouts: &[Layout<'_>], claims: &mut NameClaims) {
        let Some(first) = group.first() else { return };
        let (base, ty, unit) = first.key();
        let help = group
            .iter()
            .map(|candidate| &candidate.field.help[..])
            .find(|help| !help.trim().is_empty());
        let family = Family::new(base, ty, unit, help.unwrap_or_default());
        let file = |layout: usize| layouts.get(layout).and_then(Layout::path);
        if let Some((name, other)) = claims.find(&family) {
            let reason = format!(
                "dropped: as {}, it would be {name}, which is taken by {other}",
                describe(ty, unit)
            );
            self.dropped.push(DroppedField {
                file: file(first.layout),
                label: base.to_owned(),
                reason,
            });
            return;
        }
        claims.claim(&family, &format!("{base} ({})", describe(ty, unit)));
        let mut series = HashSet::new();
        let mut members = Vec::with_capacity(group.len());
        for candidate in group {
            let dimensions = candidate.name.dimensions.clone();
            if !series.insert((candidate.layout, dimensions.clone())) {
                let file = file(candidate.layout);
                let reason = match file {
                    Some(_) => "dropped: another field of the same file gives the same series",
                    // All other fields with the same series are in one sum.
                    None if ty == Type::Histogram => {
                        "dropped: the exported histogram has another scale, so other bounds"
                    }
                    None => "dropped: the exported field states another aggregation",
                };
                self.dropped.push(DroppedField {
                    file,
                    label: candidate.field.label.clone(),
                    reason: reason.to_owned(),
                });
                continue;
            }
            let bounds = Bounds::from_field(candidate.field);
            members.push(FamilyMember {
                layout: candidate.layout,
                field: candidate.index,
                dimensions,
                bounds,
            });
        }
        self.families.push((family, members));
    }
}

fn describe(ty: Type, unit: &str) -> String {
    let name = match ty {
        Type::Counter => "a counter",
        Type::Gauge => "a gauge",
        Type::Histogram => "a histogram",
        Type::Info => "a text or constant",
        Type::Unknown => "a number of unknown kind",
    };
    if unit.is_empty() { name.to_owned() } else { format!("{name} in {unit}") }
}

/// Names in use, with their owners.
#[derive(Default)]
struct NameClaims(HashMap<String, String>);

impl NameClaims {
    fn claim(&mut self, family: &Family, owner: &str) {
        self.0.extend(family.names().map(|name| (name, owner.to_owned())));
    }

    /// Returns the first of a family's names that is taken, and its owner.
    fn find(&self, family: &Family) -> Option<(String, &str)> {
        family.names().find_map(|name| {
            let owner = self.0.get(&name)?;
            Some((name, &owner[..]))
        })
    }
}
