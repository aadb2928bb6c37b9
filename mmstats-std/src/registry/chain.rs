//! Regions that grow: when one is full, the next has twice its size.

use super::Registry;
use crate::file_region::{FileRegion, Flush, Publication, warn_if_private};
use crate::identity::{Identity, add_identity};
use mmstats_core::format::layout;
use mmstats_core::{AddError, Field, FieldBuilder, Format, Model, V2, Version, Writer};
use std::cell::RefCell;
use std::io;

/// The size of the first region, in bytes, unless the registry sets another one.
pub(super) const FIRST_BYTES: usize = 4096;
/// Regions of this size are followed by others of this size.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The regions of one thread or process for one registry, each with a file of its own.
pub(super) struct Chain {
    registry: &'static Registry,
    regions: RefCell<Vec<FileRegion<Open>>>,
}

/// A region to which fields can be added.
struct Open {
    writer: RefCell<Writer<'static, V2>>,
    /// `None` in private memory that can have no file.
    identity: Option<Identity<V2>>,
}

impl Chain {
    pub(super) const fn new(registry: &'static Registry) -> Self {
        Chain { registry, regions: RefCell::new(Vec::new()) }
    }

    /// Adds a field under a label that no other field has. It is to be dropped before the chain.
    pub(super) fn add<H: Field<Format: Format<Base = V2>>>(
        &self,
        label: &str,
        field: FieldBuilder<'_, H>,
    ) -> Result<H, AddError> {
        let mut regions = self.regions.borrow_mut();
        let mut length = self.registry.first_bytes;
        if let Some(last) = regions.last() {
            match last.content().writer.borrow_mut().add_unique(label, field) {
                Err(AddError::Full { .. }) => length = (2 * last.len()).min(MAX_BYTES),
                result => return result,
            }
        }
        let prefix = self.registry.options.label_length();
        let identity = layout::size(Version::V2, Identity::<V2>::FIELDS, prefix);
        let needed = field.region_size(prefix + label.len()) + identity;
        if needed > MAX_BYTES {
            return Err(AddError::Full { length: MAX_BYTES });
        }
        let region = self.create_region(length.max(needed.next_multiple_of(FIRST_BYTES)));
        let added = region.content().writer.borrow_mut().add_unique(label, field);
        regions.push(region);
        added
    }

    fn create_region(&self, length: usize) -> FileRegion<Open> {
        let Registry { name, options, warned, .. } = self.registry;
        let region = FileRegion::create_with(
            name,
            options,
            length,
            |region, created| {
                let writer = Writer::with_immutable_layout(region)?;
                let mut writer = writer.label_prefix(options.label_prefix);
                let identity = Some(add_identity(&mut writer, options.owner(), created)?);
                let writer = writer.dimensions(options.dimensions().leak());
                Ok(Open { writer: RefCell::new(writer), identity })
            },
            |region| Ok(Open { writer: RefCell::new(Writer::new(region)?), identity: None }),
        );
        warn_if_private(name, &region.publication(), options, warned);
        region
    }

    /// Gives the regions to this thread, or to none.
    pub(super) fn set_owner(&self, owner: Option<u32>) {
        for region in self.regions.borrow().iter() {
            if let Some(identity) = &region.content().identity {
                identity.tid.set(owner.unwrap_or(0).into());
            }
        }
    }

    /// Creates new files for regions that have lost theirs.
    pub(super) fn ensure_files(&self) {
        self.regions.borrow().iter().for_each(|region| region.ensure_file(&self.registry.options));
    }

    /// Returns `true` if a region has no file, but may get one; tries that now and then.
    pub(super) fn awaits_file(&self) -> bool {
        let options = &self.registry.options;
        self.regions.borrow().iter().filter(|region| region.awaits_file(options)).count() > 0
    }

    /// Returns `true` if a region has a file.
    pub(super) fn is_published(&self) -> bool {
        self.publications().iter().any(|one| matches!(one, Publication::File(_)))
    }

    pub(super) fn publications(&self) -> Vec<Publication> {
        self.regions.borrow().iter().map(FileRegion::publication).collect()
    }

    pub(super) fn flush(&self, mode: Flush) -> io::Result<()> {
        self.regions.borrow().iter().try_for_each(|region| region.flush(mode))
    }

    /// Removes the files; the fields keep working.
    pub(super) fn discard_files(&self) {
        self.regions.borrow().iter().for_each(FileRegion::discard_file);
    }
}
