//! Which files share a row.

use std::collections::HashMap;

use mmstats_std::identity::ProcessId;
use mmstats_std::read::IdentityField;

use crate::escape::lossless_path;
use crate::options::poll::GroupBy;
use crate::scraper::{OwnedValue, WriterSample};
use crate::series::distinguish_process;

/// Files that share a row, in the order of rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    /// All files.
    All,
    /// The files of a process.
    Process(ProcessId),
    /// The files of a thread; as thread 0, those of all ended threads of a process.
    Thread(i128, Option<ProcessId>),
    /// One file.
    File(String),
    /// The files that do not state their process or thread.
    Unknown,
}

impl Group {
    /// Returns the group of a writer.
    pub(super) fn from_sample(sample: &WriterSample, by: Option<GroupBy>) -> Group {
        match by {
            None => Group::All,
            Some(GroupBy::File) => Group::File(lossless_path(&sample.writer_id.name)),
            Some(GroupBy::Process) => {
                sample.writer_id.process.clone().map_or(Group::Unknown, Group::Process)
            }
            Some(GroupBy::Thread) => {
                let tid = match sample.identity(IdentityField::Tid) {
                    Some(OwnedValue::Signed(tid)) => (*tid).into(),
                    Some(OwnedValue::Unsigned(tid)) => (*tid).into(),
                    _ => return Group::Unknown,
                };
                Group::Thread(tid, sample.writer_id.process.clone())
            }
        }
    }

    /// Returns notes for processes that have the same PID as others, such as `pid namespace 42`.
    pub(super) fn distinguish<'g>(
        groups: impl Iterator<Item = &'g Group>,
    ) -> HashMap<Group, String> {
        let mut by_pid: HashMap<u32, Vec<&ProcessId>> = HashMap::new();
        for group in groups {
            if let Group::Process(process) = group {
                by_pid.entry(process.pid()).or_default().push(process);
            }
        }
        let several = by_pid.into_values().filter(|processes| processes.len() > 1);
        let notes = several.flat_map(|processes| {
            let note = |process: &&ProcessId| {
                let note = distinguish_process(process, &processes)?;
                Some((Group::Process((*process).clone()), note))
            };
            processes.iter().filter_map(note).collect::<Vec<_>>()
        });
        notes.collect()
    }

    /// Returns the heading above groups.
    pub(super) fn title(by: GroupBy) -> &'static str {
        match by {
            GroupBy::File => "file",
            GroupBy::Process => "pid",
            GroupBy::Thread => "thread",
        }
    }

    /// Returns the text that stands for the group in its row.
    pub(super) fn text(&self) -> String {
        match self {
            Group::Process(process) => process.pid().to_string(),
            Group::Thread(0, Some(process)) => format!("ended in {}", process.pid()),
            Group::Thread(tid, _) => tid.to_string(),
            Group::File(path) => path.clone(),
            Group::All | Group::Unknown => "-".to_owned(),
        }
    }

    /// Returns a short text: of a file, its name without directory and extension.
    pub(super) fn short(&self) -> String {
        match self {
            Group::File(path) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                name.strip_suffix(".mmstats").unwrap_or(name).to_owned()
            }
            group => group.text(),
        }
    }
}
