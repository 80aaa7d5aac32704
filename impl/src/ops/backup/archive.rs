//! An archive that a backup sends: its chunks, what such an archive may be, and its index file.

use crate::blob;
use crate::error::CallError;
use crate::index::{Closed, Digest, DynamicWriter, FixedWriter, WriterError};
use crate::sys::{CreateMode, Sys};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

/// The size of the chunks of an image that has none, in bytes.
const CHUNK_SIZE: NonZeroU64 = NonZeroU64::new(4 * 1024 * 1024).unwrap();

/// An archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The name of its index file: `.fidx` for an image, whose chunks have one size except for the
    /// last, which may be smaller; `.didx` for anything else.
    pub name: String,
    /// The contents of its chunks, in order; each has at least one byte.
    pub chunks: Vec<Vec<u8>>,
}

impl Archive {
    /// Says what is wrong with it, before anything is locked.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_plain = !self.name.is_empty()
            && !self.name.starts_with('.')
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if !is_plain {
            return Err("its name is no file name");
        }
        let is_image = match Path::new(&self.name).extension() {
            Some(extension) if extension == "fidx" => true,
            Some(extension) if extension == "didx" => false,
            _ => return Err("its name does not end in .fidx or .didx"),
        };
        if self.chunks.iter().any(Vec::is_empty) {
            return Err("it has an empty chunk");
        }
        if self.chunks.iter().any(|chunk| chunk.len() > blob::MAX_SIZE) {
            return Err("it has a chunk that is too large");
        }
        if let (true, Some((last, whole))) = (is_image, self.chunks.split_last()) {
            let size = whole.first().unwrap_or(last).len();
            if whole.iter().any(|chunk| chunk.len() != size) || last.len() > size {
                return Err("it is an image, and its chunks have different sizes");
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    fn chunk_size(&self) -> NonZeroU64 {
        let first = self.chunks.first().map_or(0, |chunk| chunk.len() as u64);
        NonZeroU64::new(first).unwrap_or(CHUNK_SIZE)
    }
}

/// The index file of an archive, under its temporary name.
pub(super) enum Writer<'s, S: Sys> {
    Fixed {
        writer: FixedWriter<'s, S>,
        next: usize,
    },
    Dynamic {
        writer: DynamicWriter<'s, S>,
        end: u64,
    },
}

impl<'s, S: Sys> Writer<'s, S> {
    pub(super) fn create(
        sys: &'s S,
        archive: &Archive,
        path: PathBuf,
        create: CreateMode,
        ctime: i64,
    ) -> Result<Self, CallError> {
        if path
            .extension()
            .is_some_and(|extension| extension == "fidx")
        {
            let (size, chunk_size) = (archive.size(), archive.chunk_size());
            let writer = FixedWriter::create(sys, path, create, ctime, size, chunk_size)?;
            Ok(Self::Fixed { writer, next: 0 })
        } else {
            let writer = DynamicWriter::create(sys, path, create, ctime)?;
            Ok(Self::Dynamic { writer, end: 0 })
        }
    }

    /// Adds the next chunk; nothing is written yet.
    pub(super) fn add(&mut self, digest: Digest, size: u64) -> Result<(), WriterError> {
        match self {
            Self::Fixed { writer, next } => {
                writer.set(*next, digest)?;
                *next += 1;
            }
            Self::Dynamic { writer, end } => {
                *end += size;
                writer.push(*end, digest)?;
            }
        }
        Ok(())
    }

    /// Leaves the file to the removal of the snapshot.
    pub(super) fn leave(&mut self) {
        match self {
            Self::Fixed { writer, .. } => writer.leave(),
            Self::Dynamic { writer, .. } => writer.leave(),
        }
    }

    pub(super) fn close(self) -> Result<Closed, WriterError> {
        match self {
            Self::Fixed { writer, .. } => writer.close(),
            Self::Dynamic { writer, .. } => writer.close(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_index_can_hold_is_refused() {
        let check = |name: &str, sizes: &[usize]| {
            let chunks = sizes.iter().map(|size| vec![7; *size]).collect();
            let name = name.to_owned();
            Archive { name, chunks }.check()
        };
        for (name, sizes) in [
            ("drive.img.fidx", &[4, 4, 3][..]),
            ("drive.img.fidx", &[3]),
            ("drive.img.fidx", &[]),
            ("root.pxar.didx", &[1, 5, 3]),
        ] {
            assert_eq!(check(name, sizes), Ok(()), "{name} {sizes:?}");
        }
        for (name, sizes) in [
            ("drive.img.fidx", &[4, 3, 4][..]),
            ("drive.img.fidx", &[4, 5]),
            ("drive.img.fidx", &[0]),
            ("root.pxar.didx", &[1, 0]),
            ("root.pxar.didx", &[blob::MAX_SIZE + 1]),
            ("root.pxar", &[1]),
            ("", &[1]),
            (".didx", &[1]),
            ("../x.didx", &[1]),
            ("a b.didx", &[1]),
        ] {
            assert!(check(name, sizes).is_err(), "{name} {sizes:?}");
        }
    }
}
