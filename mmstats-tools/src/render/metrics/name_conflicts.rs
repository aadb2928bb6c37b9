//! Which sums cannot stand beside others in one page.

use std::collections::{HashMap, HashSet};

use mmstats_std::read::Field;

use super::family::{Family, Type};
use super::name::Name;
use crate::series::stated_aggregation;

/// The key of a metric family: base, type and unit.
type FamilyId = (String, Type, String);

/// Fields with equal keys are added.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SumKey {
    family: FamilyId,
    /// As labels, in the order of their names.
    dimensions: String,
    /// The scale and divisor of a histogram: others give its buckets other bounds.
    scale: Option<(i8, u32)>,
    /// The name of the aggregation that the fields state.
    aggregation: &'static str,
}

impl SumKey {
    pub(super) fn from_field(field: &Field, ty: Type) -> Self {
        let name = Name::new(&field.label, ty);
        let scale = (ty == Type::Histogram).then(|| (field.scale, field.divisor.max(1)));
        SumKey {
            family: (name.base.to_owned(), ty, field.unit.clone()),
            dimensions: name.dimensions,
            scale,
            aggregation: stated_aggregation(field).name(),
        }
    }

    /// Returns the names that no other family can have in a page.
    pub(super) fn names(&self) -> Vec<String> {
        let (base, ty, unit) = &self.family;
        Family::new(base, *ty, unit, "").names().collect()
    }
}

/// The names and series in a page.
pub(super) struct UsedNames<'s> {
    /// The family of each name; if several have it, the one that the page shows.
    names: HashMap<&'s str, &'s FamilyId>,
    /// The series, as a family and its dimensions.
    series: HashSet<(&'s FamilyId, &'s str)>,
}

impl<'s> UsedNames<'s> {
    /// Collects the names of these sums.
    pub(super) fn from_sums(sums: impl Iterator<Item = (&'s SumKey, &'s [String])>) -> Self {
        let mut sums: Vec<_> = sums.collect();
        sums.sort_by_key(|(key, _)| &key.family);
        let mut used = HashMap::new();
        for (key, names) in &sums {
            for name in *names {
                used.entry(&name[..]).or_insert(&key.family);
            }
        }
        UsedNames {
            names: used,
            series: sums.iter().map(|(key, _)| (&key.family, &key.dimensions[..])).collect(),
        }
    }

    /// Returns `true` if another sum cannot stand beside them.
    pub(super) fn conflicts_with(&self, key: &SumKey, names: &[String]) -> bool {
        let is_taken =
            |name: &String| self.names.get(&name[..]).is_some_and(|family| **family != key.family);
        names.iter().any(is_taken) || self.series.contains(&(&key.family, &key.dimensions[..]))
    }
}
