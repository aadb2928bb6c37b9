//! The shares of the owners of files in the fields that a scrape may have.

use std::collections::HashMap;

/// The maximum number of fields in a scrape. Writers with more are not read.
pub(super) const MAX_FIELDS: usize = 500_000;

/// The user ID of a file's owner; `None` for the memory of devices.
pub(super) type Owner = Option<u32>;

/// The fields that a scrape may have, in equal shares for the owners of the files, so that nobody
/// can use up those of others. At the end of the scrape, unused shares are for everyone.
pub(super) struct FieldQuota {
    share: usize,
    used: HashMap<Owner, usize>,
    all_used: usize,
    owner: Owner,
}

/// How many fields a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreeFields {
    /// While other owners may need their shares.
    pub(super) now: usize,
    /// After the shares are merged, if no other file takes them first.
    pub(super) later: usize,
}

impl FieldQuota {
    /// Creates shares for this many owners.
    pub(super) fn new(owners: usize) -> FieldQuota {
        let share = MAX_FIELDS / owners.max(1);
        FieldQuota { share, used: HashMap::new(), all_used: 0, owner: None }
    }

    /// Sets the owner of the files that follow.
    pub(super) fn set_owner(&mut self, owner: Owner) {
        self.owner = owner;
    }

    /// Gives what is left of all shares to everyone.
    pub(super) fn merge_shares(&mut self) {
        self.share = MAX_FIELDS;
    }

    /// Returns how many more fields the owner may use.
    pub(super) fn free(&self) -> FreeFields {
        let later = MAX_FIELDS - self.all_used;
        let used = self.used.get(&self.owner).copied().unwrap_or(0);
        FreeFields { now: self.share.saturating_sub(used).min(later), later }
    }

    /// Takes this many fields from the owner's share.
    pub(super) fn take(&mut self, fields: usize) {
        *self.used.entry(self.owner).or_default() += fields;
        self.all_used += fields;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_cannot_use_the_share_of_another_before_the_end() {
        let mut quota = FieldQuota::new(2);
        quota.set_owner(Some(1));
        quota.take(MAX_FIELDS / 2 - 1);
        assert_eq!(quota.free(), FreeFields { now: 1, later: MAX_FIELDS / 2 + 1 });
        quota.set_owner(Some(2));
        quota.take(1);
        assert_eq!(quota.free(), FreeFields { now: MAX_FIELDS / 2 - 1, later: MAX_FIELDS / 2 });
        quota.set_owner(Some(1));
        quota.merge_shares();
        assert_eq!(quota.free(), FreeFields { now: MAX_FIELDS / 2, later: MAX_FIELDS / 2 });
    }
}
