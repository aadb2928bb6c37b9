//! Only `model!` declares models, because their code handles cells before they are final.
//~ E0200 requires an `unsafe impl` declaration

use mmstats_core::format::flash::{FlashDirectory, UnloadedDirectory};
use mmstats_core::format::layout::FieldDef;
use mmstats_core::__private::{Allocator, MemberDef};
use mmstats_core::{AddError, Format, Model, V2};

mmstats_core::model! {
    /// Declared.
    pub struct Declared { count: mmstats_core::Counter }
}

/// Declared by hand.
#[derive(Debug)]
pub struct ByHand;

macro_rules! body {
    () => {
        type Format = V2;
        type In<G: Format> = Declared<G>;
        const NAME: &'static str = "by hand";
        const PREFIX: &'static str = "";
        const MEMBERS: &'static [MemberDef] = &[];
        const FIELDS: &'static [FieldDef<'static>] = &[];
        fn directory() -> FlashDirectory {
            Declared::<V2>::directory()
        }
        fn unloaded_directory() -> UnloadedDirectory {
            Declared::<V2>::unloaded_directory()
        }
        fn attach_members<A: Allocator>(
            _: &mut A,
            _: &mut &'static [FieldDef<'static>],
        ) -> Result<Self, AddError> {
            Ok(ByHand)
        }
        fn reset_transient(&self) {}
    };
}

#[cfg(good)]
unsafe impl Model for ByHand {
    body!();
}
#[cfg(not(good))]
impl Model for ByHand {
    body!();
}
