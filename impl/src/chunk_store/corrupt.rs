//! Reading a chunk, telling damage from a failure to read, and moving a corrupt chunk out of the
//! way.
//!
//! # Race fixed
//!
//! Between reading a corrupt chunk and renaming it, a backup may replace it by a good one, or
//! somebody else may rename it so that a backup writes a good one anew. Whoever renames what is
//! there by then takes the good chunk away from a snapshot that names it.
//!
//! # Protocol
//!
//! 1. Open the chunk and read it; the file stays open, so that its inode number is not given to
//!    another file.
//! 2. If the content is damaged, take the mutex of the chunk store, and look whether the file at
//!    the path is still the one that was read: device, inode, size and time of last change. If not,
//!    leave it.
//! 3. Rename it to the first of ten bad names that is free, or over the last one.
//!
//! > A chunk is renamed only if its content was read and found to be damaged.
//!
//! A chunk that cannot be read, because of an I/O error or too many open files, is not known to be
//! damaged: that is an error, and not a [`Damage`].
//!
//! As published, the second half of 2 is left out, and every failure to read counts as damage.

use super::{BAD, ChunkStore, stat};
use crate::blob::{self, BlobError};
use crate::error::{At, CallError};
use crate::index::Digest;
use crate::sys::{Access, Stat, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// A chunk file as it was read, still open.
#[must_use = "while it is open, its inode number belongs to it"]
pub struct ChunkFile<S: Sys> {
    stat: Stat,
    blob: Vec<u8>,
    _file: S::File,
}

/// What a sound chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its data, which has the digest that names the chunk.
    Data(Vec<u8>),
    /// Encrypted data, of which only the checksum of the blob can be told to be right.
    Encrypted,
}

/// A chunk that was read is not what its name says.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is no sound blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// It holds something else.
    #[error("the content has the digest {0}")]
    Digest(Digest),
}

/// What became of a corrupt chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It has this name now.
    To(PathBuf),
    /// Another file is there by now, or this one was changed; it stays.
    Changed,
    /// It was not there any more.
    Gone,
}

impl<S: Sys> ChunkFile<S> {
    /// The blob.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// What the file was like before it was read.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }
}

/// Reads a chunk file; the access time stays.
pub fn read<S: Sys>(sys: &S, path: &Path) -> Result<ChunkFile<S>, CallError> {
    let file = sys
        .open(path, Access::ReadNoAtime)
        .at("open the chunk", path)?;
    let stat = sys.fstat(&file).at("stat the chunk", path)?;
    if !stat.is_file {
        let wrong = Err(io::Error::from(io::ErrorKind::InvalidInput));
        return wrong.at("read as a chunk what is no regular file:", path);
    }
    let blob = sys.read(&file, 0).at("read the chunk", path)?;
    Ok(ChunkFile {
        stat,
        blob,
        _file: file,
    })
}

/// Whether a blob is the chunk that a digest names.
pub fn check(digest: Digest, blob: &[u8]) -> Result<Content, Damage> {
    match blob::decode(blob) {
        Ok(data) => match Digest::of(&data) {
            found if found == digest => Ok(Content::Data(data)),
            found => Err(Damage::Digest(found)),
        },
        Err(BlobError::Encrypted) => Ok(Content::Encrypted),
        Err(error) => Err(error.into()),
    }
}

/// Whether the file at the path is the one that was read, with the content that was read; none if
/// no file is there.
pub fn is_as_read<S: Sys>(
    sys: &S,
    path: &Path,
    read: &ChunkFile<S>,
) -> Result<Option<bool>, CallError> {
    let identity = |stat: &Stat| (stat.dev, stat.ino, stat.size, stat.mtime_ns);
    let found = stat(sys, path)?;
    Ok(found.map(|found| identity(&found) == identity(&read.stat)))
}

/// The first bad name of a chunk that is free; the last one if none is.
pub fn free_bad_name<S: Sys>(sys: &S, path: &Path) -> Result<PathBuf, CallError> {
    let mut bad = path.to_owned();
    for suffix in BAD {
        path.clone_into(&mut bad);
        bad.as_mut_os_string().push(suffix);
        if stat(sys, &bad)?.is_none() {
            break;
        }
    }
    Ok(bad)
}

impl<S: Sys> ChunkStore<S> {
    /// Renames a chunk that was read and found to be corrupt. With none it renames whatever is
    /// there, as published.
    pub fn rename_corrupt(
        &self,
        sys: &S,
        digest: Digest,
        read: Option<&ChunkFile<S>>,
    ) -> Result<Renamed, CallError> {
        let path = self.path(digest);
        let guard = self.lock(sys);
        if let Some(read) = read {
            match is_as_read(sys, &path, read)? {
                Some(true) => {}
                Some(false) => return Ok(Renamed::Changed),
                None => return Ok(Renamed::Gone),
            }
        }
        let bad = free_bad_name(sys, &path)?;
        let renamed = match sys.rename(&path, &bad) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Renamed::Gone,
            result => {
                result.at("rename the corrupt chunk to", &bad)?;
                Renamed::To(bad)
            }
        };
        drop(guard);
        Ok(renamed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use crate::LinuxSys;
    use proptest::prelude::*;
    use std::fs;

    const DATA: &[u8] = b"some data, some data, some data, some data, some data";

    struct Fixture {
        _directory: tempfile::TempDir,
        chunks: ChunkStore<LinuxSys>,
        digest: Digest,
        path: PathBuf,
    }

    fn fixture(content: &[u8]) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let chunks = ChunkStore::new(directory.path().to_owned());
        let digest = Digest::of(DATA);
        let path = chunks.path(digest);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        Fixture {
            _directory: directory,
            chunks,
            digest,
            path,
        }
    }

    impl Fixture {
        fn rename(&self, read: Option<&ChunkFile<LinuxSys>>) -> Renamed {
            self.chunks
                .rename_corrupt(&LinuxSys, self.digest, read)
                .unwrap()
        }

        fn bad(&self, n: u32) -> PathBuf {
            PathBuf::from(format!("{}.{n}.bad", self.path.display()))
        }
    }

    proptest! {
        #[test]
        fn every_flipped_bit_of_a_chunk_is_damage(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            for mut blob in [blob::encode(DATA).unwrap(), blob::encode_plain(DATA).unwrap()] {
                prop_assert_eq!(check(Digest::of(DATA), &blob).unwrap(), Content::Data(DATA.to_vec()));
                let at = at.index(blob.len());
                blob[at] ^= 1 << bit;
                prop_assert!(check(Digest::of(DATA), &blob).is_err());
            }
        }
    }

    #[test]
    fn sound_blob_of_something_else_is_damage() {
        let blob = blob::encode(b"other").unwrap();
        let damage = check(Digest::of(DATA), &blob);
        assert!(matches!(damage, Err(Damage::Digest(found)) if found == Digest::of(b"other")));
    }

    #[test]
    fn reading_leaves_the_access_time() {
        let fixture = fixture(&blob::encode(DATA).unwrap());
        LinuxSys.utimensat(&fixture.path, 1_000_000_000).unwrap();
        let read = read(&LinuxSys, &fixture.path).unwrap();
        assert_eq!(
            check(fixture.digest, read.blob()).unwrap(),
            Content::Data(DATA.to_vec())
        );
        let stat = LinuxSys.stat(&fixture.path).unwrap();
        assert_eq!((stat.atime_ns, stat), (1_000_000_000, *read.stat()));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_no_damage() {
        let fixture = fixture(b"");
        let directory = fixture.path.parent().unwrap();
        assert!(read(&LinuxSys, directory).is_err());
        fs::remove_file(&fixture.path).unwrap();
        let error = read(&LinuxSys, &fixture.path).err().unwrap();
        assert!(error.is_not_found());
    }

    #[test]
    fn corrupt_chunks_get_the_first_free_of_ten_names_and_then_the_last() {
        let fixture = fixture(b"");
        for (n, expected) in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9].into_iter().enumerate() {
            fs::write(&fixture.path, format!("corrupt {n}")).unwrap();
            let read = read(&LinuxSys, &fixture.path).unwrap();
            let bad = fixture.bad(expected);
            assert_eq!(fixture.rename(Some(&read)), Renamed::To(bad.clone()));
            assert_eq!(fs::read_to_string(bad).unwrap(), format!("corrupt {n}"));
            assert!(!fixture.path.exists());
        }
        fs::remove_file(fixture.bad(4)).unwrap();
        fs::write(&fixture.path, "corrupt").unwrap();
        assert_eq!(fixture.rename(None), Renamed::To(fixture.bad(4)));
        assert_eq!(fixture.rename(None), Renamed::Gone);
    }

    #[test]
    fn chunk_that_took_the_place_of_the_corrupt_one_stays() {
        let good = blob::encode(DATA).unwrap();
        // Of the same size, so that only the identity differs.
        let fixture = fixture(&vec![0; good.len()]);
        let corrupt = read(&LinuxSys, &fixture.path).unwrap();
        let insert = || {
            let temporary = fixture.path.with_extension("tmp_abcdef");
            fs::write(&temporary, &good).unwrap();
            fs::rename(temporary, &fixture.path).unwrap();
        };
        insert();
        assert_eq!(fixture.rename(Some(&corrupt)), Renamed::Changed);
        assert_eq!(fs::read(&fixture.path).unwrap(), good);

        fs::remove_file(&fixture.path).unwrap();
        assert_eq!(fixture.rename(Some(&corrupt)), Renamed::Gone);

        insert();
        assert_eq!(
            fixture.rename(None),
            Renamed::To(fixture.bad(0)),
            "as published"
        );
    }

    #[test]
    fn chunk_that_was_changed_in_place_stays() {
        let fixture = fixture(b"corrupt");
        let corrupt = read(&LinuxSys, &fixture.path).unwrap();
        fs::write(&fixture.path, blob::encode(DATA).unwrap()).unwrap();
        assert_eq!(fixture.rename(Some(&corrupt)), Renamed::Changed);
        LinuxSys.utimensat(&fixture.path, 1).unwrap();
        let again = read(&LinuxSys, &fixture.path).unwrap();
        LinuxSys.utimensat(&fixture.path, 2).unwrap();
        let renamed = fixture.rename(Some(&again));
        assert_eq!(
            renamed,
            Renamed::To(fixture.bad(0)),
            "a touch changes nothing"
        );
    }
}
