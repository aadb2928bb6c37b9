//! Recognizes identity fields, and distinguishes processes.

use std::sync::OnceLock;

use mmstats_std::identity::ProcessId;
use mmstats_std::read::IdentityField;

/// Returns `true` for the label of a field that identifies its writer. Its numbers are not amounts,
/// even where the file cannot say so, as in version 1.
#[must_use]
pub fn is_identity(label: &str) -> bool {
    IdentityField::from_label(label).is_some()
}

/// Returns a note that distinguishes a process from others with the same PID, such as
/// `pid namespace 4026532301`; `None` if it needs no note. The boot and namespace of this tool's
/// own process are not noted.
#[must_use]
pub fn distinguish_process(process: &ProcessId, others: &[&ProcessId]) -> Option<String> {
    static OWN: OnceLock<ProcessId> = OnceLock::new();
    let own = OWN.get_or_init(ProcessId::current);
    let differ = |differs: &dyn Fn(&ProcessId) -> bool| others.iter().any(|other| differs(other));
    let mut notes = Vec::new();
    let is_same_boot = |other: &ProcessId| other.boot_id() == process.boot_id();
    if differ(&|other| !is_same_boot(other)) && !is_same_boot(own) {
        notes.push(format!("boot {}", process.boot_id().unwrap_or("unknown")));
    }
    let is_same_namespace = |other: &ProcessId| other.pid_namespace() == process.pid_namespace();
    if differ(&|other| !is_same_namespace(other)) && !is_same_namespace(own) {
        let number = process.pid_namespace();
        let number = number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
        notes.push(format!("pid namespace {number}"));
    }
    let differs_in_start = |other: &ProcessId| {
        is_same_boot(other) && is_same_namespace(other) && other.start() != process.start()
    };
    if differ(&differs_in_start) {
        let start = process.start();
        let start = start.map_or_else(|| "unknown".to_owned(), |start| start.to_string());
        notes.push(format!("start {start}"));
    }
    Some(notes.join(", ")).filter(|note| !note.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_with_one_pid_are_distinguished_by_what_differs() {
        let own = ProcessId::current();
        let (boot, namespace) = (own.boot_id().unwrap_or(""), own.pid_namespace().unwrap_or(0));
        let all = [
            ProcessId::new(42, 7, boot, namespace),
            ProcessId::new(42, 7, boot, 1),
            ProcessId::new(42, 8, boot, 1),
            ProcessId::new(42, 7, "other", 1),
            ProcessId::new(42, 7, boot, 0),
        ];
        let others: Vec<_> = all.iter().collect();
        let notes: Vec<_> =
            all.iter().map(|process| distinguish_process(process, &others)).collect();
        let notes: Vec<_> = notes.iter().map(|note| note.as_deref().unwrap_or("")).collect();
        assert_eq!(
            notes,
            [
                "",
                "pid namespace 1, start 7",
                "pid namespace 1, start 8",
                "boot other, pid namespace 1",
                "pid namespace unknown"
            ]
        );
        assert_eq!(distinguish_process(&all[1], &[&all[1]]), None);
    }

    #[test]
    fn identity_fields_are_found_by_the_end_of_their_labels() {
        assert!(is_identity("sys.pid") && is_identity("web.sys.created"));
        assert!(is_identity("web/sys.pid"));
        assert!(!is_identity("mysys.pid") && !is_identity("sys.pids") && !is_identity("pid"));
    }

    #[cfg(feature = "web")]
    #[test]
    fn the_pages_scripts_know_the_same_identity() {
        let labels = IdentityField::ALL.map(IdentityField::label);
        let names = labels.map(|label| label.trim_start_matches("sys.")).join("|");
        let expression = format!(r"(^|[^\p{{L}}\p{{N}}])sys\.({names})$/u");
        assert!(include_str!("../mmash/static/stats.js").contains(&expression), "{expression}");
    }
}
