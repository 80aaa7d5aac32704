//! The corruption of one field of a projection, to test that every field is compared.

use crate::projection::{ChunkFile, Holder, Namespaces, OwnerFile, Projected, Says, StoreHolder};
use specs::id::Process;

impl Projected {
    /// Changes one field, for the test that every field is compared; false if the scenario has nothing of that kind.
    pub fn corrupt(&mut self, field: &str) -> bool {
        let flip = |masks: &mut Vec<Namespaces>| first(masks, |mask| *mask ^= 1);
        match field {
            "namespaces" => turn(&mut self.namespaces),
            "type_directories" => turn(&mut self.type_directories),
            "children_directories" => turn(&mut self.children_directories),
            "owner_names" => first(&mut self.owner_names, |owner| *owner = other_owner(*owner)),
            "snapshots" => flip(&mut self.snapshots),
            "indexes" => flip(&mut self.indexes),
            "temporaries" => flip(&mut self.temporaries),
            "protected" => flip(&mut self.protected),
            "groups" => flip(&mut self.groups),
            "owners" => flip(&mut self.owners),
            "notes" => flip(&mut self.notes),
            "manifests" => first(&mut self.manifests, |manifest| manifest.namespaces ^= 1),
            "manifest_contents" => first(&mut self.manifests, |manifest| {
                manifest.says = match manifest.says {
                    Some(says) => Some(Says {
                        notes: !says.notes,
                        ..says
                    }),
                    None => Some(Says::default()),
                };
            }),
            "chunks" => first(&mut self.chunks, |chunk| chunk.file = other_age(chunk.file)),
            "corrupt_chunks" => first(&mut self.chunks, |chunk| chunk.is_corrupt ^= true),
            "bad_chunks" => first(&mut self.chunks, |chunk| {
                chunk.bad[1] = other_age(chunk.bad[1]);
            }),
            "journal" => {
                self.journal = match self.journal.take() {
                    None => Some(Vec::new()),
                    Some(mut bytes) => {
                        bytes.push(b'\n');
                        Some(bytes)
                    }
                };
                true
            }
            "lock_files" => first(&mut self.locks, |lock| lock.has_file ^= true),
            "lock_holders" => first(&mut self.locks, |lock| {
                if lock.holders.pop().is_none() {
                    lock.holders.push(Holder {
                        process: Process(0),
                        is_at_path: true,
                        is_shared: false,
                    });
                }
            }),
            "lock_modes" => {
                let mut holders = self.locks.iter_mut().flat_map(|lock| &mut lock.holders);
                let holder = holders.next();
                holder.map(|holder| holder.is_shared ^= true).is_some()
            }
            "unknown_locks" => {
                self.unknown_locks += 1;
                true
            }
            "flag" => {
                self.flag = Some(self.flag != Some(true));
                true
            }
            "store_holders" => {
                if self.store_holders.pop().is_none() {
                    self.store_holders.push(StoreHolder {
                        process: Process(0),
                        is_shared: false,
                    });
                }
                true
            }
            "store_modes" => first(&mut self.store_holders, |holder| holder.is_shared ^= true),
            "gc_slots" => {
                self.gc_slots ^= 1;
                true
            }
            "ended" => {
                self.ends.ended ^= 1;
                true
            }
            "failed" => {
                self.ends.failed ^= 1;
                true
            }
            _ => false,
        }
    }
}

/// Another age of a chunk file.
const fn other_age(file: ChunkFile) -> ChunkFile {
    match file {
        ChunkFile::Missing | ChunkFile::Middle | ChunkFile::Fresh => ChunkFile::Old,
        ChunkFile::Old | ChunkFile::Untimely => ChunkFile::Fresh,
    }
}

/// Another content of an owner file.
const fn other_owner(owner: OwnerFile) -> OwnerFile {
    match owner {
        OwnerFile::Missing | OwnerFile::Empty | OwnerFile::Unknown => OwnerFile::Owner(1),
        OwnerFile::Owner(_) => OwnerFile::Empty,
    }
}

/// Changes a set of namespaces.
const fn turn(mask: &mut Namespaces) -> bool {
    *mask ^= 1;
    true
}

/// Changes the first value of a list; false if there is none.
fn first<T>(values: &mut [T], change: impl FnOnce(&mut T)) -> bool {
    values.first_mut().map(change).is_some()
}
