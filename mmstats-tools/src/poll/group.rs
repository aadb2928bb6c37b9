//! Which files share a row.

use crate::options::poll::By;
use crate::render::escape::lossless_path;
use crate::scraper::{OwnedValue, WriterSample};

/// Files that share a row, in the order of rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    /// All of them.
    All,
    /// Those of one process or thread.
    Number(i128),
    /// One file alone.
    File(String),
    /// Those that do not say whose they are.
    Unknown,
}

impl Group {
    pub(super) fn of(sample: &WriterSample, by: Option<By>) -> Group {
        let number = |number: Option<i128>| number.map_or(Group::Unknown, Group::Number);
        match by {
            None => Group::All,
            Some(By::File) => Group::File(lossless_path(&sample.writer_id.name)),
            Some(By::Pid) => number(sample.writer_id.pid.map(i128::from)),
            Some(By::Thread) => number(match sample.find("sys.tid") {
                Some(OwnedValue::Signed(tid)) => Some((*tid).into()),
                Some(OwnedValue::Unsigned(tid)) => Some((*tid).into()),
                _ => None,
            }),
        }
    }

    /// What stands above groups.
    pub(super) fn title(by: By) -> &'static str {
        match by {
            By::File => "file",
            By::Pid => "pid",
            By::Thread => "thread",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Group::Number(number) => number.to_string(),
            Group::File(path) => path.clone(),
            Group::All | Group::Unknown => "-".to_owned(),
        }
    }

    /// Without what is mostly the same for all.
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
