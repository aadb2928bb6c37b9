//! Checks what tools say about processes against the mappings of these processes.

use crate::{DIRECTORIES, Soak, list};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The inodes of files.
pub(crate) type Inodes = BTreeMap<PathBuf, u64>;

impl Soak {
    /// Returns the files that there are now. Those that tools read later under these names may be
    /// other ones.
    pub(crate) fn inodes(&self) -> Inodes {
        let files = DIRECTORIES.iter().flat_map(|zone| list(&self.directory(zone)));
        files.filter_map(|path| Some((path.clone(), path.metadata().ok()?.ino()))).collect()
    }

    /// Checks that no process has these files mapped, as a tool says that they are dead.
    pub(crate) fn check_dead(&self, tool: &str, before: &Inodes, dead: &serde_json::Value) {
        let path = self.root.join(dead["file"].as_str().expect("a path"));
        let is_mapped = |inode| {
            maps(&path).lines().any(|line| {
                line.ends_with(&*path.to_string_lossy())
                    && line.split_ascii_whitespace().nth(4) == Some(&u64::to_string(inode))
            })
        };
        let is_dead = !before.get(&path).is_some_and(is_mapped);
        self.check(is_dead, || format!("{tool}: the process of this file lives: {dead}"));
    }

    /// Checks that no process has the file mapped that cleanstats has removed, as it reports.
    pub(crate) fn check_removed(&self, line: &str) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let path = self.root.join(line["file"].as_str().expect("a path"));
        let removed = format!("{} (deleted)", path.display());
        let is_dead = !maps(&path).lines().any(|line| line.ends_with(&removed));
        self.check(is_dead, || format!("cleanstats removed a file in use: {line}"));
    }
}

/// Returns the mappings of the process that a file's name states; empty if it has ended.
fn maps(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let pid = name.split('-').nth(1).expect("a PID");
    fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default()
}
