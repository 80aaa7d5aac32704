//! What one thread has counted, and how the counts of all become one.

/// What a sighting is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The property with this index.
    Property(usize),
    /// A state in which nobody can go on.
    Deadlock,
}

/// Where in the search a state was found. The order is that of one queue, whatever the threads did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) block: u64,
    pub(super) chunk: usize,
    pub(super) index: u32,
}

/// The first state of a kind: where it was found, and its fingerprint to find it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sighting {
    pub(super) site: Site,
    pub(super) print: u64,
}

/// How often something was seen, and where first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) times: u64,
    pub(super) first: Option<Sighting>,
}

impl Count {
    pub(super) fn add(&mut self, sighting: Sighting) {
        self.merge(Self {
            times: 1,
            first: Some(sighting),
        });
    }

    fn merge(&mut self, other: Self) {
        self.times += other.times;
        self.first = match (self.first, other.first) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
    }
}

/// Everything a thread counts: per kind of step, per property, and deadlocks.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) coverage: Vec<u64>,
    pub(super) premises: Vec<u64>,
    pub(super) hits: Vec<Count>,
    pub(super) deadlocks: Count,
}

impl Tally {
    pub(super) fn new(kinds: usize, properties: usize) -> Self {
        Self {
            coverage: vec![0; kinds],
            premises: vec![0; properties],
            hits: vec![Count::default(); properties],
            deadlocks: Count::default(),
        }
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, other: &Self) {
        add_each(&mut self.coverage, &other.coverage);
        add_each(&mut self.premises, &other.premises);
        for (mine, theirs) in self.hits.iter_mut().zip(&other.hits) {
            mine.merge(*theirs);
        }
        self.deadlocks.merge(other.deadlocks);
    }
}

fn add_each(mine: &mut [u64], theirs: &[u64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}
