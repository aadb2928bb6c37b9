//! How many clients there may be at a time.

/// Connections for all that is no stream.
const OTHERS: usize = 256;

/// Descriptors that are neither a connection nor a file of stats.
const OWN: usize = 64;

/// What clients may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at a time; more wait.
    pub(crate) connections: usize,
    /// Streams at a time; more are refused.
    pub(crate) streams: usize,
}

impl Limits {
    /// As many streams as wanted, or as a process with so many descriptors can have: half of them
    /// are for files of stats, and some connections for whoever wants no stream.
    pub(crate) fn new(wanted: usize, descriptors: usize) -> Self {
        let connections = (wanted + OTHERS).min((descriptors / 2).saturating_sub(OWN)).max(2);
        Limits {
            connections,
            streams: wanted.min(connections - connections.div_ceil(4).min(OTHERS)),
        }
    }

    /// Descriptors that are not for files of stats.
    pub(crate) fn descriptors(self) -> usize {
        self.connections + OWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_leave_connections_for_others_and_descriptors_for_files() {
        assert_eq!(Limits::new(256, usize::MAX), Limits { connections: 512, streams: 256 });
        assert_eq!(Limits::new(256, 1024), Limits { connections: 448, streams: 256 });
        for wanted in [0, 1, 2, 256, 1000, 65_535] {
            for descriptors in [0, 130, 256, 1024, 4096, 20_000, 1 << 20] {
                let limits = Limits::new(wanted, descriptors);
                assert!(
                    limits.streams < limits.connections && limits.streams <= wanted,
                    "{wanted} {descriptors}: {limits:?}"
                );
                assert!(
                    descriptors <= 132 || limits.descriptors() <= descriptors / 2,
                    "{wanted} {descriptors}: {limits:?}"
                );
            }
        }
        assert_eq!(Limits::new(65_535, 1 << 20).streams, 65_535);
    }
}
