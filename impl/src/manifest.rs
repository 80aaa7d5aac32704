//! The manifest of a snapshot: which files it has, and what else is known about them.
//!
//! It is `index.json.blob`, a blob of JSON, and the last file that a backup writes: a snapshot
//! without one is not finished. What this version does not know is kept as it is, so that a
//! manifest that was read, edited and written says all that it said before.
//!
//! Reading needs no lock, since the file is replaced in one rename. Whoever edits it holds the
//! manifest lock from reading to writing; otherwise one of two edits is lost.

use crate::blob::{self, BlobError};
use crate::error::{At, CallError};
use crate::index::Digest;
use crate::paths::Snapshot;
use crate::step::Ending;
use crate::sys::{Access, CreateMode, Sys};
use crate::temporary::replace_file;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use specs::Outcome;
use std::path::{Path, PathBuf};

/// Keys below `unprotected`, the part that no signature covers.
const VERIFY_STATE: &str = "verify_state";
const NOTES: &str = "notes";
const CHUNK_UPLOAD_STATS: &str = "chunk_upload_stats";

/// A manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    backup_type: String,
    backup_id: String,
    backup_time: i64,
    files: Vec<File>,
    #[serde(default)]
    unprotected: Map<String, Value>,
    #[serde(default)]
    signature: Value,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct File {
    /// Its name in the directory of the snapshot.
    pub filename: String,
    /// Whether its content is encrypted.
    pub crypt_mode: CryptMode,
    /// Size in bytes: of the archive that an index stands for, of a blob as it is stored.
    pub size: u64,
    /// Checksum: of the entries of an index, of a blob as it is stored.
    pub csum: Digest,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How the content of a file is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CryptMode {
    /// Not at all.
    None,
    /// Encrypted.
    Encrypt,
    /// Its checksum is signed.
    SignOnly,
}

/// What the last verification of a snapshot found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyState {
    /// The task that verified it.
    pub upid: String,
    /// Whether all was well.
    pub state: Verdict,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every chunk is there, and what it should be.
    Ok,
    /// Something is missing or damaged.
    Failed,
}

/// A manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read or written.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It is no sound blob.
    #[error("manifest {}: {source}; verify the snapshot, or remove it", path.display())]
    Blob {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: BlobError,
    },
    /// Its content is no manifest.
    #[error("manifest {} is not what a manifest should be: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

impl Ending for ManifestError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Call(error) => error.outcome(),
            Self::Blob { .. } | Self::Json { .. } => None,
        }
    }
}

/// Reads a manifest.
pub fn read<S: Sys>(sys: &S, path: &Path) -> Result<Manifest, ManifestError> {
    let file = sys.open(path, Access::Read).at("open", path)?;
    let bytes = sys.read(&file, 0).at("read", path)?;
    let json = blob::decode(&bytes).map_err(|source| ManifestError::Blob {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&json).map_err(|source| ManifestError::Json {
        path: path.to_owned(),
        source,
    })
}

impl Manifest {
    /// The manifest of a snapshot that has no files yet.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            backup_type: snapshot.group().kind().name().to_owned(),
            backup_id: snapshot.group().id().to_owned(),
            backup_time: snapshot.time().epoch(),
            files: Vec::new(),
            unprotected: Map::new(),
            signature: Value::Null,
            other: Map::new(),
        }
    }

    /// Whether it is the manifest of this snapshot, whatever namespace that lies in.
    pub fn belongs_to(&self, snapshot: &Snapshot) -> bool {
        let group = snapshot.group();
        self.backup_type == group.kind().name()
            && self.backup_id == group.id()
            && self.backup_time == snapshot.time().epoch()
    }

    /// The files, in the order in which they were added.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Adds a file that is not encrypted.
    pub fn add_file(&mut self, filename: &str, size: u64, csum: Digest) {
        self.files.push(File {
            filename: filename.to_owned(),
            crypt_mode: CryptMode::None,
            size,
            csum,
            other: Map::new(),
        });
    }

    /// What the last verification found; none if there was none, or if it says so in a way that
    /// this version does not know.
    pub fn verify_state(&self) -> Option<VerifyState> {
        VerifyState::deserialize(self.unprotected.get(VERIFY_STATE)?).ok()
    }

    /// Notes what a verification found.
    pub fn set_verify_state(&mut self, state: &VerifyState) {
        let verdict = match state.state {
            Verdict::Ok => "ok",
            Verdict::Failed => "failed",
        };
        let state = serde_json::json!({ "upid": state.upid, "state": verdict });
        self.unprotected.insert(VERIFY_STATE.to_owned(), state);
    }

    /// The notes of the user.
    pub fn notes(&self) -> Option<&str> {
        self.unprotected.get(NOTES)?.as_str()
    }

    /// Sets the notes of the user; empty ones are removed.
    pub fn set_notes(&mut self, notes: &str) {
        if notes.is_empty() {
            self.unprotected.remove(NOTES);
        } else {
            self.unprotected.insert(NOTES.to_owned(), notes.into());
        }
    }

    /// What the backup noted about the chunks that it uploaded.
    pub fn chunk_upload_stats(&self) -> Option<&Value> {
        self.unprotected.get(CHUNK_UPLOAD_STATS)
    }

    /// Notes something about the chunks that a backup uploaded.
    pub fn set_chunk_upload_stats(&mut self, stats: Value) {
        self.unprotected
            .insert(CHUNK_UPLOAD_STATS.to_owned(), stats);
    }

    /// The JSON, with sorted keys, as it is stored in the blob.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        // A value sorts the keys of its objects.
        serde_json::to_vec_pretty(&serde_json::to_value(self)?)
    }

    /// Writes it in place of the one that is there; the directory of the snapshot must be there.
    pub fn write<S: Sys>(
        &self,
        sys: &S,
        path: &Path,
        create: CreateMode,
    ) -> Result<(), ManifestError> {
        let json = self.to_json().map_err(|source| ManifestError::Json {
            path: path.to_owned(),
            source,
        })?;
        let blob = blob::encode(&json).map_err(|source| ManifestError::Blob {
            path: path.to_owned(),
            source,
        })?;
        Ok(replace_file(sys, path, create, &blob)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use crate::LinuxSys;
    use crate::paths::{BackupTime, Group, Namespace};

    const CREATE: CreateMode = CreateMode {
        mode: 0o644,
        owner: None,
    };

    fn snapshot(namespace: &str) -> Snapshot {
        let group = Group::parse(Namespace::new(namespace).unwrap(), "vm/100").unwrap();
        group.snapshot(BackupTime::parse("2026-07-14T04:33:20Z").unwrap())
    }

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new(&snapshot("a"));
        manifest.add_file("drive.img.fidx", 4096, Digest([0xab; 32]));
        manifest.set_chunk_upload_stats(serde_json::json!({ "count": 1 }));
        manifest
    }

    #[test]
    fn keys_are_sorted_and_written_as_proxmox_backup_writes_them() {
        let expected = format!(
            r#"{{
  "backup-id": "100",
  "backup-time": 1784003600,
  "backup-type": "vm",
  "files": [
    {{
      "crypt-mode": "none",
      "csum": "{}",
      "filename": "drive.img.fidx",
      "size": 4096
    }}
  ],
  "signature": null,
  "unprotected": {{
    "chunk_upload_stats": {{
      "count": 1
    }}
  }}
}}"#,
            "ab".repeat(32)
        );
        let json = String::from_utf8(manifest().to_json().unwrap()).unwrap();
        assert_eq!(json, expected);
    }

    #[test]
    fn manifest_reads_back_and_is_replaced_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.json.blob");
        let mut written = manifest();
        written.write(&LinuxSys, &path, CREATE).unwrap();
        let mut read_back = read(&LinuxSys, &path).unwrap();
        assert_eq!(read_back, written);
        assert_eq!(
            (
                read_back.verify_state(),
                read_back.notes(),
                read_back.files().len()
            ),
            (None, None, 1)
        );

        let state = VerifyState {
            upid: "UPID:x".to_owned(),
            state: Verdict::Failed,
        };
        read_back.set_verify_state(&state);
        read_back.set_notes("two\nlines");
        read_back.write(&LinuxSys, &path, CREATE).unwrap();
        written = read(&LinuxSys, &path).unwrap();
        assert_eq!(written.verify_state(), Some(state));
        assert_eq!(written.notes(), Some("two\nlines"));
        assert_eq!(
            written.chunk_upload_stats(),
            Some(&serde_json::json!({ "count": 1 }))
        );
        written.set_notes("");
        assert_eq!(written.notes(), None);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_this_version_does_not_know_is_kept() {
        let json = serde_json::json!({
            "backup-id": "100", "backup-time": 1_784_003_600, "backup-type": "vm",
            "files": [{
                "filename": "a.blob", "crypt-mode": "sign-only", "size": 1, "csum": "0".repeat(64),
                "later": [1, { "z": 1, "a": 2 }],
            }],
            "signature": "f00d", "new-field": { "deep": true },
            "unprotected": { "key-fingerprint": "ab:cd", "verify_state": { "state": "odd" } },
        });
        let mut manifest: Manifest = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(manifest.verify_state(), None);
        manifest.set_notes("note");
        let mut expected = json;
        expected["unprotected"]["notes"] = "note".into();
        let back: Value = serde_json::from_slice(&manifest.to_json().unwrap()).unwrap();
        assert_eq!(back, expected);
    }

    #[test]
    fn manifest_belongs_to_its_snapshot_in_any_namespace() {
        assert!(manifest().belongs_to(&snapshot("")));
        let later = BackupTime::parse("2026-07-14T04:33:21Z").unwrap();
        assert!(!manifest().belongs_to(&snapshot("").group().snapshot(later)));
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.json.blob");
        let outcome = |error: &ManifestError| error.outcome();
        let missing = read(&LinuxSys, &path).unwrap_err();
        assert_eq!(outcome(&missing), Some(Outcome::NotFound));
        std::fs::write(&path, "no blob at all").unwrap();
        let damaged = read(&LinuxSys, &path).unwrap_err();
        assert!(matches!(damaged, ManifestError::Blob { .. }) && outcome(&damaged).is_none());
        for json in [
            "no json",
            "{}",
            r#"{"backup-id":"1","backup-time":1,"backup-type":"vm","files":[
                {"filename":"a","crypt-mode":"none","size":1,"csum":"short"}]}"#,
        ] {
            std::fs::write(&path, blob::encode(json.as_bytes()).unwrap()).unwrap();
            let error = read(&LinuxSys, &path).unwrap_err();
            assert!(matches!(error, ManifestError::Json { .. }), "{error}");
        }
    }

    #[test]
    fn removed_snapshot_is_not_made_again_by_an_edit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gone").join("index.json.blob");
        let error = manifest().write(&LinuxSys, &path, CREATE).unwrap_err();
        assert_eq!(error.outcome(), Some(Outcome::NotFound));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
