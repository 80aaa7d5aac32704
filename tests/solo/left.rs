//! What an operation leaves when it has run alone, compared with what the model has.

use super::Stage;
use conformance::expected::expected;
use conformance::observer::{Circumstances, Observer};
use conformance::projection::{Ends, Projected};

impl Stage {
    /// What lies there afterwards is what the model has. The clock is the real one here, and nobody holds anything; the files of
    /// a directory are announced in the order in which this file system lists them.
    pub(super) fn compare_tree(&self, what: &str) {
        const ELSEWHERE: [&str; 10] = [
            "journal",
            "chunks",
            "bad_chunks",
            "lock_holders",
            "lock_modes",
            "unknown_locks",
            "store_holders",
            "store_modes",
            "ended",
            "failed",
        ];
        let scenario = self.scope.scenario;
        let mut observer = Observer::new(&self.world, scenario, self.scope.design).unwrap();
        let now = Circumstances {
            pids: &vec![None; scenario.processes.len()],
            cutoffs: 0,
            ticks: 0,
            passed_backups: 0,
            gc_slots: 0,
            ends: Ends::default(),
        };
        let mut seen = Projected::default();
        observer.observe(&now, &mut seen).unwrap();
        let base = self.world.store().display().to_string();
        let wanted = expected(&self.scope, &self.state, &base);
        let compared = Projected::FIELDS
            .iter()
            .filter(|field| !ELSEWHERE.contains(field));
        for field in compared {
            assert_eq!(seen.value(field), wanted.value(field), "{what}: {field}");
        }
        let lines = |of: Projected| {
            let journal = of.journal.unwrap_or_default();
            let mut lines: Vec<_> = journal
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(seen), lines(wanted), "{what}: journal");
    }
}
