//! Scrapes as they happen: the thread that makes them, those of the last minutes, and their events.

pub(super) mod events;
pub(super) mod history;
pub(super) mod history_overhead;
pub(super) mod scrape_loop;
