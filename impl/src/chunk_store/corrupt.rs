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
//! 1. Read the chunk, without a lock, and compare it with its digest.
//! 2. If it is damaged, take the mutex of the chunk store, read it again, and leave it unless it is
//!    still damaged.
//! 3. Rename it to the first of ten bad names that is free, or over the last one.
//!
//! > A chunk is renamed only if its content was read under the mutex and found to be damaged.
//!
//! A chunk that cannot be read, because of an I/O error or too many open files, is not known to be
//! damaged: it is [`Examined::Unreadable`], and not [`Examined::Corrupt`].
//!
//! As published, the second reading is left out, and every failure to read counts as damage.

use super::{BAD, ChunkStore, stat};
use crate::blob::{self, BlobError};
use crate::error::{At, CallError, no_regular_file};
use crate::index::Digest;
use crate::step::Ending;
use crate::sys::{Access, Sys};
use specs::{Design, Outcome};
use std::io;
use std::path::{Path, PathBuf};

/// What a sound chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its data, which has the digest that names the chunk.
    Data(Vec<u8>),
    /// Encrypted data, of which only the checksum of the blob can be told to be right.
    Encrypted,
}

impl Content {
    /// The size of the data in bytes; not known of what is encrypted.
    fn size(&self) -> Option<u64> {
        match self {
            Self::Data(data) => Some(data.len() as u64),
            Self::Encrypted => None,
        }
    }
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

/// What reading a chunk tells about it.
#[derive(Debug)]
pub enum Examined {
    /// It is what its name says.
    Sound {
        /// The size of its data in bytes; not known of what is encrypted.
        size: Option<u64>,
    },
    /// It is not.
    Corrupt(Damage),
    /// There is no such file.
    Missing,
    /// It could not be read, which says nothing about its content.
    Unreadable(CallError),
}

/// What became of a corrupt chunk.
#[derive(Debug)]
pub enum Renamed {
    /// It has this name now.
    To(PathBuf),
    /// It is sound by now; it stays.
    Kept,
    /// It was not there any more.
    Gone,
}

impl Examined {
    /// How the step ends that reads the chunk.
    pub fn outcome(&self, design: Design) -> Outcome {
        match self {
            Self::Sound { .. } => Outcome::Done,
            Self::Corrupt(_) => Outcome::Corrupt,
            Self::Missing => Outcome::NotFound,
            Self::Unreadable(_) if !design.sets_aside_only_what_it_read() => Outcome::Corrupt,
            Self::Unreadable(error) => error.outcome().unwrap_or(Outcome::Refused),
        }
    }

    /// Whether the chunk is to be set aside after that.
    pub fn is_set_aside(&self, design: Design) -> bool {
        match self {
            Self::Sound { .. } => false,
            Self::Corrupt(_) => true,
            Self::Missing | Self::Unreadable(_) => !design.sets_aside_only_what_it_read(),
        }
    }
}

impl Renamed {
    /// How the step ends that renames a chunk.
    pub fn outcome(result: &Result<Self, CallError>) -> Outcome {
        match result {
            Ok(Self::To(_)) => Outcome::Done,
            Ok(Self::Kept) => Outcome::Kept,
            Ok(Self::Gone) => Outcome::NotFound,
            Err(error) => error.outcome().unwrap_or(Outcome::Refused),
        }
    }
}

/// Reads a chunk and compares it with its digest; the access time stays.
pub fn examine<S: Sys>(sys: &S, path: &Path, digest: Digest) -> Examined {
    match read(sys, path) {
        Ok(blob) => match check(digest, &blob) {
            Ok(content) => Examined::Sound {
                size: content.size(),
            },
            Err(damage) => Examined::Corrupt(damage),
        },
        Err(error) if error.is_not_found() => Examined::Missing,
        Err(error) => Examined::Unreadable(error),
    }
}

/// Reads the blob of a chunk; the access time stays.
pub fn read<S: Sys>(sys: &S, path: &Path) -> Result<Vec<u8>, CallError> {
    let file = sys
        .open(path, Access::ReadNoAtime)
        .at("open the chunk", path)?;
    let stat = sys.fstat(&file).at("stat the chunk", path)?;
    if !stat.is_file {
        return Err(no_regular_file()).at("read the chunk", path);
    }
    sys.read(&file, 0).at("read the chunk", path)
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

/// The first bad name of a chunk that is free; the last one if none is.
fn free_bad_name<S: Sys>(sys: &S, path: &Path) -> Result<PathBuf, CallError> {
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

/// Renames a chunk to its first free bad name, whatever it holds.
pub fn set_aside<S: Sys>(sys: &S, path: &Path) -> Result<Renamed, CallError> {
    let bad = free_bad_name(sys, path)?;
    match sys.rename(path, &bad) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Renamed::Gone),
        result => {
            result.at("rename the corrupt chunk to", &bad)?;
            Ok(Renamed::To(bad))
        }
    }
}

impl<S: Sys> ChunkStore<S> {
    /// Sets a chunk aside that was read and is to be set aside, if the design says so still.
    pub fn rename_corrupt(
        &self,
        sys: &S,
        digest: Digest,
        design: Design,
    ) -> Result<Renamed, CallError> {
        let path = self.path(digest);
        let guard = self.lock(sys);
        if design.sets_aside_only_what_it_read() {
            match examine(sys, &path, digest) {
                Examined::Corrupt(_) => {}
                Examined::Sound { .. } => return Ok(Renamed::Kept),
                Examined::Missing => return Ok(Renamed::Gone),
                Examined::Unreadable(error) => return Err(error),
            }
        }
        let renamed = set_aside(sys, &path);
        drop(guard);
        renamed
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
        fn rename(&self, design: Design) -> Renamed {
            self.chunks
                .rename_corrupt(&LinuxSys, self.digest, design)
                .unwrap()
        }

        fn is_renamed_to(&self, design: Design, n: u32) -> bool {
            matches!(self.rename(design), Renamed::To(path) if path == self.bad(n))
        }

        fn examine(&self) -> Examined {
            examine(&LinuxSys, &self.path, self.digest)
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
        let size = Some(DATA.len() as u64);
        assert!(matches!(fixture.examine(), Examined::Sound { size: found } if found == size));
        let stat = LinuxSys.stat(&fixture.path).unwrap();
        assert_eq!(stat.atime_ns, 1_000_000_000);
    }

    #[test]
    fn what_cannot_be_read_is_damaged_in_the_published_design_only() {
        let fixture = fixture(b"");
        let (hardened, upstream) = (Design::HARDENED, Design::UPSTREAM);
        let corrupt = fixture.examine();
        fs::remove_file(&fixture.path).unwrap();
        let missing = fixture.examine();
        fs::create_dir(&fixture.path).unwrap();
        let unreadable = fixture.examine();
        assert!(matches!(corrupt, Examined::Corrupt(_)) && matches!(missing, Examined::Missing));
        assert!(matches!(unreadable, Examined::Unreadable(_)));
        for (examined, design, outcome, is_set_aside) in [
            (&corrupt, hardened, Outcome::Corrupt, true),
            (&corrupt, upstream, Outcome::Corrupt, true),
            (&missing, hardened, Outcome::NotFound, false),
            (&missing, upstream, Outcome::NotFound, true),
            (&unreadable, hardened, Outcome::Refused, false),
            (&unreadable, upstream, Outcome::Corrupt, true),
        ] {
            let found = (examined.outcome(design), examined.is_set_aside(design));
            assert_eq!(found, (outcome, is_set_aside), "{examined:?} {design:?}");
        }
        let again = fixture
            .chunks
            .rename_corrupt(&LinuxSys, fixture.digest, hardened);
        assert!(again.is_err() && fixture.path.exists());
    }

    #[test]
    fn corrupt_chunks_get_the_first_free_of_ten_names_and_then_the_last() {
        let fixture = fixture(b"");
        for (n, expected) in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9].into_iter().enumerate() {
            fs::write(&fixture.path, format!("corrupt {n}")).unwrap();
            assert!(fixture.is_renamed_to(Design::HARDENED, expected));
            let bad = fixture.bad(expected);
            assert_eq!(fs::read_to_string(bad).unwrap(), format!("corrupt {n}"));
            assert!(!fixture.path.exists());
        }
        fs::remove_file(fixture.bad(4)).unwrap();
        fs::write(&fixture.path, "corrupt").unwrap();
        assert!(fixture.is_renamed_to(Design::UPSTREAM, 4));
        for design in [Design::HARDENED, Design::UPSTREAM] {
            assert!(matches!(fixture.rename(design), Renamed::Gone));
        }
    }

    #[test]
    fn chunk_that_is_sound_by_now_stays() {
        let good = blob::encode(DATA).unwrap();
        let fixture = fixture(&good);
        assert!(matches!(fixture.rename(Design::HARDENED), Renamed::Kept));
        assert_eq!(fs::read(&fixture.path).unwrap(), good);
        assert!(
            fixture.is_renamed_to(Design::UPSTREAM, 0),
            "as published, whatever is there is renamed"
        );
    }
}
