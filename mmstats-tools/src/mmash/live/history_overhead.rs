//! What the past alone keeps in memory besides numbers: labels, units and help of writers that are
//! gone.
//!
//! All looks at a writer share these, with the sampler too while the writer is there. So each is
//! counted once, and from when the sampler has let go of it.

use std::collections::HashMap;
use std::sync::Arc;

use mmstats_std::read::Field;

use crate::scraper::WriterId;

/// What all looks of the past share, by where it is in memory.
#[derive(Default)]
pub(crate) struct Retained {
    shared: HashMap<usize, Shared>,
    bytes: usize,
}

struct Shared {
    bytes: usize,
    /// By so many looks.
    uses: usize,
    /// The number of the last of them.
    last: u64,
    /// Whether it is counted: nobody else has it any more.
    is_alone: bool,
}

impl Retained {
    /// What is kept alone, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A look has come that uses these.
    pub(crate) fn add<'w>(
        &mut self,
        scrape: u64,
        writers: impl IntoIterator<Item = (&'w Arc<WriterId>, &'w Arc<[Field]>)>,
    ) {
        for (writer_id, fields) in writers {
            self.add_one(scrape, Arc::as_ptr(writer_id).addr(), || origin_bytes(writer_id));
            self.add_one(scrape, fields.as_ptr().addr(), || fields_bytes(fields));
        }
        for shared in
            self.shared.values_mut().filter(|shared| shared.last < scrape && !shared.is_alone)
        {
            shared.is_alone = true;
            self.bytes += shared.bytes;
        }
    }

    fn add_one(&mut self, scrape: u64, address: usize, bytes: impl FnOnce() -> usize) {
        let shared = self.shared.entry(address).or_insert_with(|| Shared {
            bytes: bytes(),
            uses: 0,
            last: scrape,
            is_alone: false,
        });
        shared.uses += 1;
        shared.last = scrape;
        if shared.is_alone {
            shared.is_alone = false;
            self.bytes -= shared.bytes;
        }
    }

    /// A look is forgotten that used these.
    pub(crate) fn remove<'w>(
        &mut self,
        writers: impl IntoIterator<Item = (&'w Arc<WriterId>, &'w Arc<[Field]>)>,
    ) {
        for (writer_id, fields) in writers {
            self.remove_one(Arc::as_ptr(writer_id).addr());
            self.remove_one(fields.as_ptr().addr());
        }
    }

    fn remove_one(&mut self, address: usize) {
        let Some(shared) = self.shared.get_mut(&address) else { return };
        shared.uses -= 1;
        if shared.uses == 0 {
            self.bytes -= if shared.is_alone { shared.bytes } else { 0 };
            // Something else may be there next.
            self.shared.remove(&address);
        }
    }
}

/// What a writer's origin takes, in bytes.
pub(crate) fn origin_bytes(writer_id: &WriterId) -> usize {
    size_of::<Shared>() + size_of::<WriterId>() + writer_id.name.capacity()
}

/// What fields take, in bytes.
pub(crate) fn fields_bytes(fields: &[Field]) -> usize {
    let texts =
        |field: &Field| field.label.capacity() + field.unit.capacity() + field.help.capacity();
    size_of::<Shared>() + size_of_val(fields) + fields.iter().map(texts).sum::<usize>()
}
