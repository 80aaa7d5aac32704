//! What one field of a projection says, by its name: to tell whether it ever changes.

use crate::projection::{Holder, Projected};

impl Projected {
    /// What a field says, in a form that can only be compared; none if there is no such field.
    pub fn value(&self, field: &str) -> Option<String> {
        let directories = self.directories().into_iter();
        if let Some((_, mask)) = directories.into_iter().find(|(name, _)| *name == field) {
            return Some(format!("{mask}"));
        }
        if let Some((_, masks)) = self.masks().into_iter().find(|(name, _)| *name == field) {
            return Some(format!("{masks:?}"));
        }
        fn all<'a, T: 'a, V: std::fmt::Debug>(of: &'a [T], value: impl Fn(&'a T) -> V) -> String {
            format!("{:?}", of.iter().map(value).collect::<Vec<_>>())
        }
        let place = |holder: &Holder| (holder.process, holder.is_at_path);
        Some(match field {
            "owner_names" => format!("{:?}", self.owner_names),
            "manifests" => all(&self.manifests, |manifest| manifest.namespaces),
            "manifest_contents" => all(&self.manifests, |manifest| manifest.says),
            "chunks" => all(&self.chunks, |chunk| chunk.file),
            "corrupt_chunks" => all(&self.chunks, |chunk| chunk.is_corrupt),
            "bad_chunks" => all(&self.chunks, |chunk| chunk.bad),
            "journal" => format!("{:?}", self.journal),
            "lock_files" => all(&self.locks, |lock| lock.has_file),
            "lock_holders" => all(&self.locks, |lock| all(&lock.holders, place)),
            "lock_modes" => all(&self.locks, |lock| all(&lock.holders, |h| h.is_shared)),
            "unknown_locks" => self.unknown_locks.to_string(),
            "flag" => format!("{:?}", self.flag),
            "store_holders" => all(&self.store_holders, |holder| holder.process),
            "store_modes" => all(&self.store_holders, |holder| holder.is_shared),
            "gc_slots" => self.gc_slots.to_string(),
            "ended" => self.ends.ended.to_string(),
            "failed" => self.ends.failed.to_string(),
            _ => return None,
        })
    }
}
