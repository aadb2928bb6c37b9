//! The thread that scrapes, the scrapes of the last minutes, and their events.

pub(super) mod events;
pub(super) mod history;
pub(super) mod scrape_loop;
pub(super) mod snapshot;
pub(super) mod streams;
