//! Which sums cannot stand beside others in one page.

use std::collections::{HashMap, HashSet};

use mmstats_std::read::Field;

use super::family::{Family, Type};
use super::name::Name;

/// What a page makes one family of: base, type and unit.
type Kin = (String, Type, String);

/// Fields that agree in this are added up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    kin: Kin,
    /// As labels, in the order of their names.
    dimensions: String,
    /// Of distributions: others have other buckets.
    scale: Option<(i8, u32)>,
}

impl Key {
    pub(super) fn of(field: &Field, ty: Type) -> Self {
        let name = Name::new(&field.label, ty);
        let scale = (ty == Type::Histogram).then(|| (field.scale, field.divisor.max(1)));
        Key {
            kin: (name.base.to_owned(), ty, field.unit.clone()),
            dimensions: name.dimensions,
            scale,
        }
    }

    /// The names that no other family can have in a page.
    pub(super) fn names(&self) -> Vec<String> {
        let (base, ty, unit) = &self.kin;
        Family::new(base, *ty, unit, "").names().collect()
    }
}

/// What some sums take in a page.
pub(super) struct Taken<'s> {
    /// By name; of several families, the one that a page shows.
    names: HashMap<&'s str, &'s Kin>,
    /// With their dimensions.
    series: HashSet<(&'s Kin, &'s str)>,
}

impl<'s> Taken<'s> {
    /// By sums with these keys and names.
    pub(super) fn by(sums: impl Iterator<Item = (&'s Key, &'s [String])>) -> Self {
        let mut sums: Vec<_> = sums.collect();
        sums.sort_by_key(|(key, _)| &key.kin);
        let mut taken = HashMap::new();
        for (key, names) in &sums {
            for name in *names {
                taken.entry(&name[..]).or_insert(&key.kin);
            }
        }
        Taken {
            names: taken,
            series: sums.iter().map(|(key, _)| (&key.kin, &key.dimensions[..])).collect(),
        }
    }

    /// Whether another sum cannot stand beside them.
    pub(super) fn excludes(&self, key: &Key, names: &[String]) -> bool {
        let is_rival =
            |name: &String| self.names.get(&name[..]).is_some_and(|kin| **kin != key.kin);
        names.iter().any(is_rival) || self.series.contains(&(&key.kin, &key.dimensions[..]))
    }
}
