//! The fields that identify a file's process, and where they are among its fields.
//!
//! A writer adds them to its own fields: `sys.pid`, `sys.start` and so on, each with the file's
//! label prefix in front ([`Options::label_prefix`](crate::Options::label_prefix)). This module has
//! the only rule for finding them: the label of an identity field is exactly one of these, or one
//! of these after the file's label prefix.

/// A field that identifies the process of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum IdentityField {
    /// `sys.pid`: the process ID.
    Pid,
    /// `sys.tid`: the thread ID; 0 while no thread owns the file.
    Tid,
    /// `sys.uid`: the user ID.
    Uid,
    /// `sys.gid`: the group ID.
    Gid,
    /// `sys.created`: when the file was created, in seconds since 1970.
    Created,
    /// `sys.start`: when the process started, in clock ticks since boot.
    Start,
    /// `sys.boot_id`: the boot ID of the machine.
    BootId,
    /// `sys.pid_namespace`: the inode number of the PID namespace.
    PidNamespace,
}

/// The labels without a prefix, in the order of declaration.
const LABELS: [&str; 8] = [
    "sys.pid",
    "sys.tid",
    "sys.uid",
    "sys.gid",
    "sys.created",
    "sys.start",
    "sys.boot_id",
    "sys.pid_namespace",
];

impl IdentityField {
    /// All identity fields, in the order of declaration.
    pub const ALL: [IdentityField; 8] = [
        IdentityField::Pid,
        IdentityField::Tid,
        IdentityField::Uid,
        IdentityField::Gid,
        IdentityField::Created,
        IdentityField::Start,
        IdentityField::BootId,
        IdentityField::PidNamespace,
    ];

    /// Returns the label without a prefix.
    #[must_use]
    pub const fn label(self) -> &'static str {
        LABELS[self as usize]
    }

    /// Splits a label into a prefix and the identity field that it names; `None` if it names
    /// another field.
    ///
    /// A prefix is empty or ends in a character that is neither letter nor digit, so that
    /// `mysys.pid` is an ordinary label. The prefix may be another than the file's, which
    /// [`IdentityFields::find`] determines from all labels.
    ///
    /// ```
    /// use mmstats_std::read::IdentityField;
    /// assert_eq!(IdentityField::from_label("web/sys.pid"), Some(("web/", IdentityField::Pid)));
    /// assert_eq!(IdentityField::from_label("web/requests"), None);
    /// ```
    #[must_use]
    pub fn from_label(label: &str) -> Option<(&str, IdentityField)> {
        IdentityField::ALL.into_iter().find_map(|field| {
            let prefix = label.strip_suffix(field.label())?;
            (!prefix.ends_with(char::is_alphanumeric)).then_some((prefix, field))
        })
    }
}

/// The positions of a file's identity fields among all its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityFields {
    prefix: Box<str>,
    indices: [Option<usize>; IdentityField::ALL.len()],
}

impl IdentityFields {
    /// Finds the identity fields among a file's labels.
    ///
    /// A program may have fields of its own that look like them, such as `worker.sys.pid`. So the
    /// file's prefix is that of `sys.pid`. If there are several, it is the prefix with the most
    /// identity fields, then the shortest, then the last. A field that is missing under the prefix
    /// is looked up without a prefix; of fields with the same label, the last counts.
    #[must_use]
    pub fn find<'l>(labels: impl IntoIterator<Item = &'l str>) -> IdentityFields {
        // The indices found under each prefix. Hardly any file has more than one prefix.
        let mut candidates: Vec<(&str, [Option<usize>; IdentityField::ALL.len()])> = Vec::new();
        for (index, label) in labels.into_iter().enumerate() {
            let Some((prefix, field)) = IdentityField::from_label(label) else { continue };
            let known = candidates.iter().position(|(known, _)| *known == prefix);
            let at = known.unwrap_or_else(|| {
                candidates.push((prefix, Default::default()));
                candidates.len() - 1
            });
            candidates[at].1[field as usize] = Some(index);
        }
        let exact = candidates.iter().find(|(prefix, _)| prefix.is_empty()).copied();
        let best = candidates.into_iter().max_by_key(|(prefix, indices)| {
            let count = indices.iter().flatten().count();
            (indices[IdentityField::Pid as usize].is_some(), count, usize::MAX - prefix.len())
        });
        let Some((prefix, mut indices)) = best else { return IdentityFields::default() };
        if let Some((_, exact)) = exact {
            for (index, exact) in indices.iter_mut().zip(exact) {
                *index = index.or(exact);
            }
        }
        IdentityFields { prefix: prefix.into(), indices }
    }

    /// Returns the index of an identity field; `None` if the file lacks it.
    #[must_use]
    pub fn index(&self, field: IdentityField) -> Option<usize> {
        self.indices[field as usize]
    }

    /// Returns the identity field with this index; `None` if the index is that of another field.
    #[must_use]
    pub fn field_at(&self, index: usize) -> Option<IdentityField> {
        IdentityField::ALL.into_iter().find(|field| self.index(*field) == Some(index))
    }

    /// Returns the file's label prefix; empty if it has none, or no identity fields.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns how a label of the file matches a label without prefix; `None` if it does not.
    ///
    /// ```
    /// use mmstats_std::read::{IdentityFields, LabelMatch};
    /// let identity = IdentityFields::find(["web_sys.pid", "web_errors", "io.errors"]);
    /// assert_eq!(identity.match_label("errors", "errors"), Some(LabelMatch::Exact));
    /// assert_eq!(identity.match_label("web_errors", "errors"), Some(LabelMatch::Prefixed));
    /// assert_eq!(identity.match_label("io.errors", "errors"), Some(LabelMatch::Suffix));
    /// assert_eq!(identity.match_label("no_errors", "errors"), None);
    /// ```
    #[must_use]
    pub fn match_label(&self, label: &str, wanted: &str) -> Option<LabelMatch> {
        match label.strip_suffix(wanted)? {
            "" => Some(LabelMatch::Exact),
            prefix if prefix == self.prefix() => Some(LabelMatch::Prefixed),
            prefix if prefix.ends_with(|c: char| c.is_alphanumeric() || c == '_') => None,
            _ => Some(LabelMatch::Suffix),
        }
    }

    /// Returns the index of the label that matches best; of several, the first.
    #[must_use]
    pub fn find_label<'l>(
        &self,
        labels: impl IntoIterator<Item = &'l str>,
        wanted: &str,
    ) -> Option<usize> {
        let mut best: Option<(LabelMatch, usize)> = None;
        for (index, label) in labels.into_iter().enumerate() {
            match self.match_label(label, wanted) {
                Some(LabelMatch::Exact) => return Some(index),
                Some(found) if best.is_none_or(|(best, _)| found < best) => {
                    best = Some((found, index));
                }
                _ => {}
            }
        }
        Some(best?.1)
    }
}

/// How a label in a file matches a label without prefix, from the best match to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelMatch {
    /// They are equal.
    Exact,
    /// It has the file's label prefix.
    Prefixed,
    /// It has another prefix, which ends in a separator: neither a letter, a digit nor `_`.
    Suffix,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_the_fields_in_the_order_of_declaration() {
        assert!(IdentityField::ALL.iter().enumerate().all(|(i, field)| *field as usize == i));
    }

    #[test]
    fn identity_fields_are_found_after_every_prefix() {
        for prefix in ["", "web.", "web/", "a-b_"] {
            let label = |name: &str| format!("{prefix}{name}");
            for field in IdentityField::ALL {
                assert_eq!(
                    IdentityField::from_label(&label(field.label())),
                    Some((prefix, field)),
                    "{prefix:?}"
                );
            }
            let labels = ["requests", "worker.sys.pid", "worker.sys.tid"]
                .into_iter()
                .chain(IdentityField::ALL.map(IdentityField::label))
                .map(label)
                .collect::<Vec<_>>();
            let found = IdentityFields::find(labels.iter().map(String::as_str));
            assert_eq!(found.prefix(), prefix);
            for (i, field) in IdentityField::ALL.into_iter().enumerate() {
                assert_eq!(found.index(field), Some(3 + i), "{prefix:?}");
                assert_eq!(found.field_at(3 + i), Some(field), "{prefix:?}");
            }
            assert_eq!((0..3).find_map(|i| found.field_at(i)), None, "{prefix:?}");
        }
    }

    #[test]
    fn labels_that_only_end_in_the_same_letters_are_ordinary() {
        for label in ["mysys.pid", "web1sys.pid", "sys.pids", "pid", "", "sys.pid{a=\"b\"}"] {
            assert_eq!(IdentityField::from_label(label), None, "{label:?}");
        }
        assert_eq!(IdentityFields::find(["mysys.pid", "hits"]), IdentityFields::default());
    }

    #[test]
    fn the_fields_of_the_process_win_over_those_of_the_program() {
        let pid = |labels: &[&str]| {
            IdentityFields::find(labels.iter().copied()).index(IdentityField::Pid)
        };
        assert_eq!(pid(&["sys.pid", "worker.sys.pid"]), Some(0));
        assert_eq!(pid(&["worker.sys.pid", "sys.pid"]), Some(1));
        assert_eq!(pid(&["worker.sys.pid", "web.sys.pid", "web.sys.created"]), Some(1));
        assert_eq!(pid(&["web.sys.pid", "web.sys.created", "worker.sys.pid"]), Some(0));
        assert_eq!(pid(&["sys.created", "web.sys.pid"]), Some(1));
        assert_eq!(pid(&["a.sys.pid", "b.sys.pid"]), Some(1));
    }

    #[test]
    fn a_field_without_the_prefix_counts_where_the_prefix_has_none() {
        let found = IdentityFields::find(["web.sys.pid", "sys.created"]);
        assert_eq!(found.prefix(), "web.");
        assert_eq!(found.index(IdentityField::Created), Some(1));
    }
}
