//! Writers of index files: entries are collected, and the whole file is written when it is closed.
//!
//! The file is created under a temporary name in the directory of the snapshot, which garbage
//! collection does not take for an index, and renamed when it is complete: nobody ever reads half of
//! one. The entries are kept in memory until then, 40 bytes or fewer each, since the checksum in the
//! header covers all of them.

use super::{CSUM, Digest, Index, Kind};
use crate::error::CallError;
use crate::step::Ending;
use crate::sys::{CreateMode, Sys};
use crate::temporary::Temporary;
use sha2::{Digest as _, Sha256};
use specs::Outcome;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What an index that was closed is, for the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Checksum of the entries.
    pub csum: Digest,
    /// Size of the archive that it stands for.
    pub size: u64,
    /// Number of entries.
    pub chunks: usize,
}

/// An index cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An entry is missing, or is one that no such index can have.
    #[error("index file {}: entry {entry} {why}", path.display())]
    Entry {
        /// Which file.
        path: PathBuf,
        /// Number of the entry, counted from 0.
        entry: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Ending for WriterError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Call(error) => error.outcome(),
            Self::Entry { .. } => None,
        }
    }
}

/// A UUID for an index that is made now, of the kind that its maker defines (version 8).
pub fn new_uuid(path: &Path, ctime: i64) -> [u8; 16] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update(ctime.to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    hash.update(COUNT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash.finalize()[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// What both writers have: where the file lies, and its header.
struct Output<'s, S: Sys> {
    temporary: Temporary<'s, S>,
    path: PathBuf,
    uuid: [u8; 16],
    ctime: i64,
}

impl<'s, S: Sys> Output<'s, S> {
    fn create(
        sys: &'s S,
        kind: Kind,
        path: PathBuf,
        create: CreateMode,
        ctime: i64,
    ) -> Result<Self, CallError> {
        let extension = match kind {
            Kind::Fixed => "tmp_fidx",
            Kind::Dynamic => "tmp_didx",
        };
        let temporary = Temporary::create(sys, path.with_extension(extension), create)?;
        Ok(Self {
            temporary,
            uuid: new_uuid(&path, ctime),
            path,
            ctime,
        })
    }

    fn close(self, bytes: &[u8]) -> Result<Digest, CallError> {
        self.temporary.append(bytes)?;
        self.temporary.rename(&self.path)?;
        let mut csum = [0; 32];
        csum.copy_from_slice(&bytes[CSUM..CSUM + 32]);
        Ok(Digest(csum))
    }

    fn refuse<T>(&self, entry: usize, why: &'static str) -> Result<T, WriterError> {
        Err(WriterError::Entry {
            path: self.path.clone(),
            entry,
            why,
        })
    }
}

/// A fixed index that is being written. Dropping it unlinks what it wrote.
#[must_use = "an index that is not closed is given up"]
pub struct FixedWriter<'s, S: Sys> {
    output: Output<'s, S>,
    size: u64,
    chunk_size: NonZeroU64,
    digests: Vec<Option<Digest>>,
}

impl<'s, S: Sys> FixedWriter<'s, S> {
    /// Begins the index at `path`, which ends in `.fidx`, of an image of `size` bytes. `ctime` is in
    /// seconds since the epoch; the clock is not read for it.
    pub fn create(
        sys: &'s S,
        path: PathBuf,
        create: CreateMode,
        ctime: i64,
        size: u64,
        chunk_size: NonZeroU64,
    ) -> Result<Self, CallError> {
        Ok(Self {
            output: Output::create(sys, Kind::Fixed, path, create, ctime)?,
            size,
            chunk_size,
            digests: Vec::new(),
        })
    }

    /// Sets the digest of the chunk at a position, in any order; a later one replaces it.
    pub fn set(&mut self, position: usize, digest: Digest) -> Result<(), WriterError> {
        if position as u64 >= self.size.div_ceil(self.chunk_size.get()) {
            return self.output.refuse(position, "lies behind the image");
        }
        if position >= self.digests.len() {
            self.digests.resize(position + 1, None);
        }
        self.digests[position] = Some(digest);
        Ok(())
    }

    /// Leaves the file to whoever removes the directory that it lies in; dropping the writer then
    /// only closes it.
    pub fn leave(&mut self) {
        self.output.temporary.leave();
    }

    /// Writes the file and renames it into place.
    pub fn close(self) -> Result<Closed, WriterError> {
        let digests: Vec<Digest> = self.digests.iter().map_while(|digest| *digest).collect();
        if (digests.len() as u64) < self.size.div_ceil(self.chunk_size.get()) {
            return self.output.refuse(digests.len(), "has no digest");
        }
        let Output { uuid, ctime, .. } = self.output;
        let bytes = Index::encode_fixed(uuid, ctime, self.size, self.chunk_size.get(), &digests);
        Ok(Closed {
            csum: self.output.close(&bytes)?,
            size: self.size,
            chunks: digests.len(),
        })
    }
}

/// A dynamic index that is being written. Dropping it unlinks what it wrote.
#[must_use = "an index that is not closed is given up"]
pub struct DynamicWriter<'s, S: Sys> {
    output: Output<'s, S>,
    entries: Vec<(u64, Digest)>,
}

impl<'s, S: Sys> DynamicWriter<'s, S> {
    /// Begins the index at `path`, which ends in `.didx`. `ctime` is in seconds since the epoch.
    pub fn create(
        sys: &'s S,
        path: PathBuf,
        create: CreateMode,
        ctime: i64,
    ) -> Result<Self, CallError> {
        Ok(Self {
            output: Output::create(sys, Kind::Dynamic, path, create, ctime)?,
            entries: Vec::new(),
        })
    }

    /// Adds a chunk that ends at an offset behind that of the one before.
    pub fn push(&mut self, end: u64, digest: Digest) -> Result<(), WriterError> {
        if end <= self.entries.last().map_or(0, |(end, _)| *end) {
            let why = "does not end behind the one before";
            return self.output.refuse(self.entries.len(), why);
        }
        self.entries.push((end, digest));
        Ok(())
    }

    /// Leaves the file to whoever removes the directory that it lies in; dropping the writer then
    /// only closes it.
    pub fn leave(&mut self) {
        self.output.temporary.leave();
    }

    /// Writes the file and renames it into place.
    pub fn close(self) -> Result<Closed, WriterError> {
        let Output { uuid, ctime, .. } = self.output;
        let bytes = Index::encode_dynamic(uuid, ctime, &self.entries);
        Ok(Closed {
            csum: self.output.close(&bytes)?,
            size: self.entries.last().map_or(0, |(end, _)| *end),
            chunks: self.entries.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use crate::LinuxSys;
    use proptest::prelude::*;
    use std::fs;

    const CREATE: CreateMode = CreateMode {
        mode: 0o644,
        owner: None,
    };

    const CTIME: i64 = 1_784_003_600;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The file by the offsets of the format, with nothing of the code under test.
    fn check_header(bytes: &[u8], magic: [u8; 8], csum: Digest) {
        assert_eq!(bytes[..8], magic);
        assert_eq!(
            (bytes[14] >> 4, bytes[16] >> 6),
            (8, 2),
            "version and variant of the UUID"
        );
        assert_eq!(bytes[24..32], CTIME.to_le_bytes());
        assert_eq!(bytes[32..64], Sha256::digest(&bytes[4096..])[..]);
        assert_eq!(bytes[32..64], csum.0);
        assert!(bytes[80..4096].iter().all(|byte| *byte == 0));
    }

    proptest! {
        #[test]
        fn fixed_index_is_what_the_format_says(
            digests in prop::collection::vec(any::<[u8; 32]>(), 1..20),
            chunk_size in 1u64..1 << 32,
            short in any::<u64>(),
            order in any::<prop::sample::Index>(),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("drive.img.fidx");
            let size = chunk_size * digests.len() as u64 - short % chunk_size;
            let mut writer = FixedWriter::create(&LinuxSys, path.clone(), CREATE, CTIME, size, chunk_size.try_into().unwrap()).unwrap();
            prop_assert_eq!(names(directory.path()), ["drive.img.tmp_fidx"]);
            let first = order.index(digests.len());
            for i in (first..digests.len()).chain(0..first) {
                writer.set(i, Digest(digests[i])).unwrap();
            }
            let closed = writer.close().unwrap();
            prop_assert_eq!(names(directory.path()), ["drive.img.fidx"]);
            let bytes = fs::read(&path).unwrap();
            check_header(&bytes, [47, 127, 65, 237, 145, 253, 15, 205], closed.csum);
            prop_assert_eq!(&bytes[64..72], &size.to_le_bytes());
            prop_assert_eq!(&bytes[72..80], &chunk_size.to_le_bytes());
            prop_assert_eq!(&bytes[4096..], &digests.concat());
            prop_assert_eq!((closed.size, closed.chunks), (size, digests.len()));
        }

        #[test]
        fn dynamic_index_is_what_the_format_says(
            entries in prop::collection::vec((any::<[u8; 32]>(), 1u64..1 << 40), 0..20),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("root.pxar.didx");
            let mut writer = DynamicWriter::create(&LinuxSys, path.clone(), CREATE, CTIME).unwrap();
            prop_assert_eq!(names(directory.path()), ["root.pxar.tmp_didx"]);
            let (mut end, mut expected) = (0u64, Vec::new());
            for (digest, size) in &entries {
                end += size;
                writer.push(end, Digest(*digest)).unwrap();
                expected.extend_from_slice(&end.to_le_bytes());
                expected.extend_from_slice(digest);
            }
            let closed = writer.close().unwrap();
            prop_assert_eq!(names(directory.path()), ["root.pxar.didx"]);
            let bytes = fs::read(&path).unwrap();
            check_header(&bytes, [28, 145, 78, 165, 25, 186, 179, 205], closed.csum);
            prop_assert!(bytes[64..80].iter().all(|byte| *byte == 0));
            prop_assert_eq!(&bytes[4096..], &expected);
            prop_assert_eq!((closed.size, closed.chunks), (end, entries.len()));
        }
    }

    #[test]
    fn index_that_is_not_closed_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.fidx");
        let chunk_size = NonZeroU64::new(4).unwrap();
        let create = || FixedWriter::create(&LinuxSys, path.clone(), CREATE, CTIME, 9, chunk_size);
        drop(create().unwrap());
        assert_eq!(names(directory.path()), [""; 0]);

        let mut writer = create().unwrap();
        assert_eq!(create().err().unwrap().outcome(), Some(Outcome::Exists));
        writer.set(0, Digest([1; 32])).unwrap();
        writer.set(2, Digest([3; 32])).unwrap();
        let behind = writer.set(3, Digest([4; 32])).unwrap_err().to_string();
        assert!(
            behind.ends_with("a.fidx: entry 3 lies behind the image"),
            "{behind}"
        );
        let hole = writer.close().unwrap_err().to_string();
        assert!(hole.ends_with("a.fidx: entry 1 has no digest"), "{hole}");
        assert_eq!(names(directory.path()), [""; 0]);

        let path = directory.path().join("a.didx");
        let mut writer = DynamicWriter::create(&LinuxSys, path, CREATE, CTIME).unwrap();
        assert!(writer.push(0, Digest([1; 32])).is_err());
        writer.push(5, Digest([1; 32])).unwrap();
        assert!(writer.push(5, Digest([2; 32])).is_err());
        drop(writer);
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn index_of_a_snapshot_that_is_gone_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = directory.path().join("snapshot");
        fs::create_dir(&snapshot).unwrap();
        let writer =
            DynamicWriter::create(&LinuxSys, snapshot.join("a.didx"), CREATE, CTIME).unwrap();
        fs::remove_dir_all(&snapshot).unwrap();
        assert_eq!(
            writer.close().unwrap_err().outcome(),
            Some(Outcome::NotFound)
        );
        assert_eq!(names(directory.path()), [""; 0]);
    }
}
