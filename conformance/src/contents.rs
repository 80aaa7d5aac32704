//! What manifests, chunks and owner files say, read again only when another file is at their path.
//!
//! No operation writes to a manifest or a chunk in place, and no two files follow each other in one step, so a file
//! with the same inode, size and time of change is the one that was read. An owner file may be written in place; no
//! two owners of a scenario have names of one length.

use crate::projection::{OwnerFile, Says, Verified};
use datastore::blob;
use datastore::chunk_store;
use datastore::index::Digest;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode};
use serde_json::Value;
use specs::scenario::OWNERS;
use std::ffi::CStr;
use std::fs::File;
use std::io::Read as _;

/// Tells a file from another one that is at the same path later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    ino: u64,
    size: i64,
    changed: (i64, i64),
}

/// What was read of the file at a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached<T>(Option<(Identity, T)>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> Cached<T> {
    /// Forgets it.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    /// What `judge` says of the file at a path that is like this.
    pub(crate) fn get(
        &mut self,
        directory: &File,
        path: &CStr,
        stat: &FileStat,
        judge: impl FnOnce(&[u8]) -> T,
    ) -> anyhow::Result<T> {
        let identity = Identity {
            ino: stat.st_ino,
            size: stat.st_size,
            changed: (stat.st_mtime, stat.st_mtime_nsec),
        };
        if let Some((_, said)) = self.0.filter(|(known, _)| *known == identity) {
            return Ok(said);
        }
        let said = judge(&read(directory, path)?);
        self.0 = Some((identity, said));
        Ok(said)
    }
}

/// Reads a whole file; its access time stays.
fn read(directory: &File, path: &CStr) -> anyhow::Result<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOATIME;
    let name = || path.to_string_lossy().into_owned();
    let open = openat(directory, path, flags, Mode::empty());
    let open = open.map_err(|error: Errno| {
        anyhow::Error::from(error).context(format!("cannot open {} to look at it", name()))
    })?;
    let mut bytes = Vec::new();
    File::from(open).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the bytes of a chunk file are not the blob of the chunk with that digest.
pub(crate) fn is_corrupt(digest: Digest, bytes: &[u8]) -> bool {
    chunk_store::check(digest, bytes).is_err()
}

/// What an owner file says.
pub(crate) fn owner(bytes: &[u8]) -> OwnerFile {
    if bytes.is_empty() {
        return OwnerFile::Empty;
    }
    let names = |owner: &str| bytes.strip_suffix(b"\n") == Some(owner.as_bytes());
    let number = (0..).zip(OWNERS).find(|(_, owner)| names(owner));
    number.map_or(OwnerFile::Unknown, |(n, _)| OwnerFile::Owner(n))
}

/// What a manifest says, if it can be read and lists these index files and no others.
pub(crate) fn manifest(bytes: &[u8], indexes: &[&str]) -> Option<Says> {
    let json = blob::decode(bytes).ok()?;
    let manifest: Value = serde_json::from_slice(&json).ok()?;
    let files = manifest.get("files")?.as_array()?;
    let mut names: Vec<&str> = files
        .iter()
        .map(|file| file.get("filename").and_then(Value::as_str))
        .collect::<Option<_>>()?;
    names.sort_unstable();
    if names != indexes {
        return None;
    }
    let unprotected = |key: &str| manifest.get("unprotected").and_then(|part| part.get(key));
    let state = unprotected("verify_state").map(|state| state.get("state"));
    Some(Says {
        statistics: unprotected("chunk_upload_stats").is_some(),
        verified: match state {
            None => Verified::Never,
            Some(state) if state.and_then(Value::as_str)? == "ok" => Verified::Ok,
            Some(_) => Verified::Failed,
        },
        notes: unprotected("notes").is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(json: &Value) -> Option<Says> {
        let bytes = blob::encode(json.to_string().as_bytes()).unwrap();
        manifest(&bytes, &["a.fidx", "b.fidx"])
    }

    #[test]
    fn a_manifest_says_what_is_known_of_its_snapshot() {
        let files = serde_json::json!([{ "filename": "b.fidx" }, { "filename": "a.fidx" }]);
        let plain = serde_json::json!({ "files": files, "unprotected": {} });
        assert_eq!(says(&plain), Some(Says::default()));
        let full = serde_json::json!({ "files": files, "unprotected": {
            "chunk_upload_stats": { "count": 1 },
            "notes": "",
            "verify_state": { "state": "failed" },
        }});
        let all = Says {
            statistics: true,
            verified: Verified::Failed,
            notes: true,
        };
        assert_eq!(says(&full), Some(all));
    }

    #[test]
    fn a_manifest_of_other_files_or_without_a_sound_content_says_nothing() {
        let other = serde_json::json!({ "files": [{ "filename": "a.fidx" }], "unprotected": {} });
        assert_eq!(says(&other), None);
        assert_eq!(manifest(b"no blob", &[]), None);
    }

    #[test]
    fn an_owner_file_names_an_owner_of_the_scenario_or_nobody_that_is_known() {
        assert_eq!(owner(b""), OwnerFile::Empty);
        assert_eq!(owner(b"root@pam\n"), OwnerFile::Owner(0));
        for bytes in [b"root@pam".as_slice(), b"\n", b"root@pam\nthird@pbs\n"] {
            assert_eq!(owner(bytes), OwnerFile::Unknown);
        }
        for (n, name) in (0..).zip(OWNERS) {
            assert_eq!(owner(format!("{name}\n").as_bytes()), OwnerFile::Owner(n));
            let same_length = |other: &&&str| other.len() == name.len();
            assert_eq!(OWNERS.iter().filter(same_length).count(), 1, "{name}");
        }
    }

    #[test]
    fn a_chunk_with_another_content_is_corrupt() {
        let digest = Digest::of(b"right");
        let sound = blob::encode_plain(b"right").unwrap();
        assert!(!is_corrupt(digest, &sound));
        assert!(is_corrupt(digest, &blob::encode_plain(b"wrong").unwrap()));
        let mut flipped = sound;
        flipped[14] ^= 1;
        assert!(is_corrupt(digest, &flipped));
    }
}
