//! Inserting a chunk: written under a temporary name and renamed, unless a good copy is there.
//!
//! # Race fixed
//!
//! The copy that a backup finds and does not write again may be on its way out: garbage collection
//! has looked at its old access time and is about to remove it. Both look and act under the mutex of
//! the chunk store, so that the copy is gone before the backup looks, or touched before garbage
//! collection does.
//!
//! # Protocol
//!
//! 1. Take the mutex of the chunk store.
//! 2. Look what is at the path, and decide by it ([`plan`]).
//! 3. A good copy is touched. Otherwise the chunk is written under a temporary name, touched, and renamed over what is there.
//! 4. Let the mutex go.
//!
//! > When an insert returns, the chunk is there, with an access time not before the insert began.
//!
//! A crash leaves the chunk, or what was there before, and perhaps a temporary file; nobody reads that, and a sweep removes
//! it when it is as old as a chunk that nobody uses.
//!
//! Not covered: another process that collects garbage; the caller holds a share of the process lock. A crash of the machine:
//! nothing is synced, so a chunk may be empty or damaged after a power failure. An empty one is written again by the next
//! insert. One that is damaged otherwise is touched and stays, until a verification reads it.

use super::{ChunkStore, stat, touch};
use crate::blob::{self, BlobError, Kind};
use crate::error::{At, CallError, no_regular_file};
use crate::index::Digest;
use crate::step::Ending;
use crate::sys::{Access, CreateMode, Stat, Sys};
use crate::temporary::Temporary;
use specs::Outcome;
use std::path::{Path, PathBuf};

/// What an insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There was no such chunk.
    New,
    /// The copy that was there stays; its size in bytes may be another one.
    Duplicate {
        /// Its size in bytes.
        size: u64,
    },
    /// The file that was there is replaced: it was empty, or compressed worse.
    Replaced {
        /// Its size in bytes.
        size: u64,
    },
}

/// What to do about what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Write the chunk.
    Write,
    /// Touch the copy that is there.
    Touch,
    /// Write the chunk, unless what is there tells that one of the two is forged.
    Compare,
}

/// A chunk cannot be inserted.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It is no sound blob.
    #[error("chunk {digest} was not inserted: {source}")]
    Blob {
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        source: BlobError,
    },
    /// The copy that is there has the same digest and cannot have the same content. The digest of an
    /// encrypted chunk is made with its key, so that no honest client brings this about.
    #[error("encrypted chunk was not inserted: {} {why}; verify the datastore", path.display())]
    Forged {
        /// The file that is there.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
}

impl Ending for InsertError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Call(error) => error.outcome(),
            Self::Blob { .. } | Self::Forged { .. } => None,
        }
    }
}

/// What to do with a blob of some kind and size, by what is there.
pub fn plan(found: Option<&Stat>, kind: Kind, size: u64) -> Plan {
    match found {
        None => Plan::Write,
        Some(stat) if stat.size == size => Plan::Touch,
        // What a crash of the machine left of a chunk that had not reached the disk.
        Some(stat) if stat.size == 0 => Plan::Write,
        Some(_) if kind.is_encrypted() => Plan::Compare,
        Some(stat) if stat.size < size => Plan::Touch,
        Some(_) => Plan::Write,
    }
}

/// Writes a chunk under a temporary name, with an access time of the clock of the process; renaming
/// it into place is the caller's.
pub fn write<'s, S: Sys>(
    sys: &'s S,
    path: &Path,
    blob: &[u8],
    create: CreateMode,
) -> Result<Temporary<'s, S>, CallError> {
    let temporary = Temporary::beside(sys, path, create)?;
    temporary.append(blob)?;
    // The clock of the file system may be another one: that of a file server, or a real one beside
    // a virtual one.
    touch(sys, temporary.path())?;
    Ok(temporary)
}

impl<S: Sys> ChunkStore<S> {
    /// Inserts a chunk, given as its blob. Its content is not compared with the digest; see
    /// [`super::check`].
    pub fn insert(
        &self,
        sys: &S,
        digest: Digest,
        blob: &[u8],
        create: CreateMode,
    ) -> Result<Inserted, InsertError> {
        let kind = blob::check(blob).map_err(|source| InsertError::Blob { digest, source })?;
        let path = self.path(digest);
        let guard = self.lock(sys);
        let found = stat(sys, &path)?;
        if found.is_some_and(|found| !found.is_file) {
            return Ok(Err(no_regular_file()).at("insert the chunk", &path)?);
        }
        let plan = plan(found.as_ref(), kind, blob.len() as u64);
        match plan {
            Plan::Touch => touch(sys, &path)?,
            Plan::Write => write(sys, &path, blob, create)?.rename(&path)?,
            Plan::Compare => {
                compare(sys, &path, kind)?;
                write(sys, &path, blob, create)?.rename(&path)?;
            }
        }
        drop(guard);
        Ok(match (plan, found) {
            (_, None) => Inserted::New,
            (Plan::Touch, Some(found)) => Inserted::Duplicate { size: found.size },
            (Plan::Write | Plan::Compare, Some(found)) => Inserted::Replaced { size: found.size },
        })
    }
}

/// Refuses an encrypted chunk beside a copy of another size that cannot have the same digest.
fn compare<S: Sys>(sys: &S, path: &Path, kind: Kind) -> Result<(), InsertError> {
    let file = sys.open(path, Access::ReadNoAtime).at("open", path)?;
    let there = sys.read(&file, 0).at("read", path)?;
    let forged = |why| InsertError::Forged {
        path: path.to_owned(),
        why,
    };
    match (Kind::of(&there), kind) {
        (Ok(Kind::Plain | Kind::Zstd), _) => Err(forged("is not encrypted")),
        (Ok(Kind::Encrypted), Kind::Encrypted) => Err(forged("has another size")),
        (Ok(Kind::Encrypted | Kind::EncryptedZstd) | Err(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use crate::LinuxSys;
    use std::fs;

    const CREATE: CreateMode = CreateMode {
        mode: 0o644,
        owner: None,
    };
    const DIGEST: Digest = Digest([0x5c; 32]);

    struct Fixture {
        _directory: tempfile::TempDir,
        chunks: ChunkStore<LinuxSys>,
        path: PathBuf,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let chunks = ChunkStore::new(directory.path().to_owned());
            let path = chunks.path(DIGEST);
            fs::create_dir(path.parent().unwrap()).unwrap();
            Self {
                _directory: directory,
                chunks,
                path,
            }
        }

        /// With a file that is old.
        fn with(content: &[u8]) -> Self {
            let fixture = Self::new();
            fs::write(&fixture.path, content).unwrap();
            LinuxSys.utimensat(&fixture.path, 1).unwrap();
            fixture
        }

        fn insert(&self, blob: &[u8]) -> Result<Inserted, InsertError> {
            let before = LinuxSys.now();
            let result = self.chunks.insert(&LinuxSys, DIGEST, blob, CREATE);
            let atime = LinuxSys.stat(&self.path).unwrap().atime_ns;
            assert_eq!(
                atime >= before,
                result.is_ok(),
                "touched if it was inserted"
            );
            let names = fs::read_dir(self.path.parent().unwrap()).unwrap().count();
            assert_eq!(names, 1, "no temporary file is left");
            result
        }

        fn content(&self) -> Vec<u8> {
            fs::read(&self.path).unwrap()
        }
    }

    fn plain(data: &str) -> Vec<u8> {
        blob::encode_plain(data.as_bytes()).unwrap()
    }

    fn encrypted(kind: Kind, data: &str) -> Vec<u8> {
        let mut blob = kind.magic().to_vec();
        blob.extend_from_slice(&crc32fast::hash(data.as_bytes()).to_le_bytes());
        blob.extend_from_slice(&[7; 32]);
        blob.extend_from_slice(data.as_bytes());
        blob
    }

    #[test]
    fn new_chunk_is_written_with_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let fixture = Fixture::new();
        assert_eq!(fixture.insert(&plain("data")).unwrap(), Inserted::New);
        assert_eq!(fixture.content(), plain("data"));
        let mode = fs::metadata(&fixture.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);
    }

    #[test]
    fn what_is_there_decides_what_is_written() {
        let (small, same, big) = (plain("a"), plain("other"), plain("much longer"));
        let blob = plain("right");
        for (there, expected, stays) in [
            (&same, Inserted::Duplicate { size: 17 }, true),
            (&small, Inserted::Duplicate { size: 13 }, true),
            (&big, Inserted::Replaced { size: 23 }, false),
            (&Vec::new(), Inserted::Replaced { size: 0 }, false),
        ] {
            let fixture = Fixture::with(there);
            assert_eq!(fixture.insert(&blob).unwrap(), expected);
            assert_eq!(&fixture.content(), if stays { there } else { &blob });
        }
    }

    #[test]
    fn encrypted_chunk_beside_an_impossible_copy_is_refused() {
        use Kind::{Encrypted, EncryptedZstd};
        let short = "abc";
        for (there, kind, is_refused) in [
            (plain("plain text"), Encrypted, true),
            (plain("plain text"), EncryptedZstd, true),
            (encrypted(Encrypted, short), Encrypted, true),
            (encrypted(Encrypted, short), EncryptedZstd, false),
            (encrypted(EncryptedZstd, short), Encrypted, false),
            (
                b"damaged beyond its magic number".to_vec(),
                Encrypted,
                false,
            ),
        ] {
            let fixture = Fixture::with(&there);
            let blob = encrypted(kind, "another size");
            let result = fixture.insert(&blob);
            assert_eq!(
                matches!(result, Err(InsertError::Forged { .. })),
                is_refused
            );
            assert_eq!(result.is_ok(), !is_refused);
            assert_eq!(fixture.content(), if is_refused { there } else { blob });
        }
    }

    #[test]
    fn what_is_no_blob_is_not_inserted() {
        let mut blob = plain("data");
        blob[12] ^= 1;
        let fixture = Fixture::with(b"");
        assert!(matches!(
            fixture.insert(&blob),
            Err(InsertError::Blob { .. })
        ));
    }

    #[test]
    fn chunk_without_its_prefix_directory_is_an_error() {
        let fixture = Fixture::new();
        fs::remove_dir(fixture.path.parent().unwrap()).unwrap();
        let error = fixture
            .chunks
            .insert(&LinuxSys, DIGEST, &plain("a"), CREATE);
        assert_eq!(error.unwrap_err().outcome(), Some(Outcome::NotFound));
    }

    #[test]
    fn two_threads_that_insert_one_chunk_write_it_once() {
        let fixture = Fixture::new();
        let insert = || {
            fixture
                .chunks
                .insert(&LinuxSys, DIGEST, &plain("data"), CREATE)
        };
        let inserted = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(insert)).collect();
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap());
            joined.collect::<Vec<_>>()
        });
        let new = inserted.iter().filter(|i| **i == Inserted::New).count();
        assert_eq!(new, 1, "{inserted:?}");
        assert_eq!(fixture.content(), plain("data"));
    }
}
