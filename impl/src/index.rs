//! Index files: which chunks an archive consists of, in the binary formats of Proxmox Backup.
//!
//! Both begin with a page of 4096 bytes: magic number, UUID, creation time, SHA-256 of the entries;
//! the rest is zero. A fixed index (`.fidx`) goes on with one digest for each chunk of the image, a
//! dynamic one (`.didx`) with the end offset and the digest of each chunk. All numbers are
//! little-endian.
//!
//! The checksum covers the entries and not the header, where a fixed index has the size of the image and that of a chunk.
//! Decoding cannot tell whether these two are right, so that nobody may take memory or time by them; a verification
//! compares them with the manifest and with the chunks.

use crate::error::{At, CallError};
use crate::step::Ending;
use crate::sys::{Access, Sys};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use specs::Outcome;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

mod writer;

pub use writer::{Closed, DynamicWriter, FixedWriter, WriterError, new_uuid};

/// Magic number of a fixed index.
pub const FIXED_MAGIC: [u8; 8] = [47, 127, 65, 237, 145, 253, 15, 205];
/// Magic number of a dynamic index.
pub const DYNAMIC_MAGIC: [u8; 8] = [28, 145, 78, 165, 25, 186, 179, 205];

/// Size of the header.
pub const HEADER: usize = 4096;
const CSUM: usize = 32;
const SIZE: usize = 64;
const CHUNK_SIZE: usize = 72;

/// The SHA-256 that names a chunk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Its 64 hex digits, without an allocation.
    pub fn hex(&self) -> Hex {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        Hex(hex)
    }
}

impl Digest {
    /// The digest of some data: the name of the plain chunk that holds it.
    pub fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }

    /// The digest that 64 lower-case hex digits stand for.
    pub fn parse(hex: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_str())
    }
}

impl Serialize for Digest {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.serialize_str(self.hex().as_str())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = Cow::<str>::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("not 64 lower-case hex digits: {hex:?}"));
        Self::parse(&hex).ok_or_else(wrong)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest in hex digits.
#[derive(Clone, Copy, Debug)]
pub struct Hex([u8; 64]);

impl Hex {
    /// The digits, as ASCII.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        // Hex digits are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What kind of index a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chunks of one size, of an image.
    Fixed,
    /// Chunks that end at given offsets.
    Dynamic,
}

/// An index file in memory, whose magic number, sizes and checksum are right.
#[derive(Clone, Debug)]
pub struct Index {
    kind: Kind,
    bytes: Vec<u8>,
}

/// An index file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It is damaged.
    #[error("index file {} is corrupt at byte {offset}: {why}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// The first byte that is wrong.
        offset: usize,
        /// What is wrong.
        why: &'static str,
    },
}

impl Ending for IndexError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Call(error) => error.outcome(),
            Self::Corrupt { .. } => None,
        }
    }
}

/// Whether the name of a file says that it is an index.
pub fn is_index_file(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "fidx" || extension == "didx")
}

/// Opens and reads an index file.
pub fn read<S: Sys>(sys: &S, path: &Path) -> Result<Index, IndexError> {
    let file = sys.open(path, Access::Read).at("open", path)?;
    let stat = sys.fstat(&file).at("fstat", path)?;
    if !stat.is_file {
        return Err(IndexError::Corrupt {
            path: path.to_owned(),
            offset: 0,
            why: "not a regular file",
        });
    }
    let bytes = sys.read(&file, 0).at("read", path)?;
    Index::decode(bytes).map_err(|(offset, why)| IndexError::Corrupt {
        path: path.to_owned(),
        offset,
        why,
    })
}

impl Index {
    /// Checks the bytes of an index file; an error is the offset that is wrong, and why.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, (usize, &'static str)> {
        if bytes.len() < HEADER {
            return Err((bytes.len(), "the header is cut short"));
        }
        let kind = match &bytes[..8] {
            magic if magic == FIXED_MAGIC => Kind::Fixed,
            magic if magic == DYNAMIC_MAGIC => Kind::Dynamic,
            _ => return Err((0, "the magic number is none of an index")),
        };
        let index = Self { kind, bytes };
        let rest = index.bytes.len() - HEADER;
        let partial = rest % index.entry_len();
        if partial != 0 {
            return Err((index.bytes.len() - partial, "the last entry is cut short"));
        }
        match kind {
            Kind::Fixed => {
                let (size, chunk_size) = (index.number(SIZE), index.number(CHUNK_SIZE));
                if chunk_size == 0 {
                    return Err((CHUNK_SIZE, "the chunk size is zero"));
                }
                if size.div_ceil(chunk_size) != (rest / index.entry_len()) as u64 {
                    return Err((SIZE, "the image size does not fit the number of entries"));
                }
            }
            Kind::Dynamic => {
                let mut end = 0;
                for at in (HEADER..index.bytes.len()).step_by(index.entry_len()) {
                    if index.number(at) <= end {
                        return Err((at, "the end offset is not behind the one before"));
                    }
                    end = index.number(at);
                }
            }
        }
        if Sha256::digest(&index.bytes[HEADER..]).as_slice() != &index.bytes[CSUM..CSUM + 32] {
            return Err((CSUM, "the checksum is not that of the entries"));
        }
        Ok(index)
    }

    /// The bytes of a fixed index over an image of `size` bytes.
    pub fn encode_fixed(
        uuid: [u8; 16],
        ctime: i64,
        size: u64,
        chunk_size: u64,
        digests: &[Digest],
    ) -> Vec<u8> {
        let mut bytes = header(FIXED_MAGIC, uuid, ctime);
        bytes[SIZE..SIZE + 8].copy_from_slice(&size.to_le_bytes());
        bytes[CHUNK_SIZE..CHUNK_SIZE + 8].copy_from_slice(&chunk_size.to_le_bytes());
        for digest in digests {
            bytes.extend_from_slice(&digest.0);
        }
        with_checksum(bytes)
    }

    /// The bytes of a dynamic index from the end offset and the digest of each chunk.
    pub fn encode_dynamic(uuid: [u8; 16], ctime: i64, entries: &[(u64, Digest)]) -> Vec<u8> {
        let mut bytes = header(DYNAMIC_MAGIC, uuid, ctime);
        for (end, digest) in entries {
            bytes.extend_from_slice(&end.to_le_bytes());
            bytes.extend_from_slice(&digest.0);
        }
        with_checksum(bytes)
    }

    /// What kind of index it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The digests, in the order of the file.
    pub fn digests(&self) -> impl ExactSizeIterator<Item = Digest> {
        let skip = self.entry_len() - 32;
        self.bytes[HEADER..]
            .chunks_exact(self.entry_len())
            .map(move |entry| {
                let mut digest = [0; 32];
                digest.copy_from_slice(&entry[skip..]);
                Digest(digest)
            })
    }

    /// The range of the archive that each chunk covers.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        let (size, chunk_size) = (self.number(SIZE), self.number(CHUNK_SIZE));
        let mut begin = 0_u64;
        (HEADER..self.bytes.len())
            .step_by(self.entry_len())
            .map(move |at| {
                let end = match self.kind {
                    // No checksum covers the two numbers.
                    Kind::Fixed => begin.saturating_add(chunk_size).min(size),
                    Kind::Dynamic => self.number(at),
                };
                (std::mem::replace(&mut begin, end), end)
            })
    }

    /// Size of the archive.
    pub fn size(&self) -> u64 {
        self.ranges().last().map_or(0, |(_, end)| end)
    }

    /// The checksum of the entries.
    pub fn checksum(&self) -> Digest {
        let mut checksum = [0; 32];
        checksum.copy_from_slice(&self.bytes[CSUM..CSUM + 32]);
        Digest(checksum)
    }

    fn entry_len(&self) -> usize {
        match self.kind {
            Kind::Fixed => 32,
            Kind::Dynamic => 40,
        }
    }

    fn number(&self, at: usize) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(number)
    }
}

fn header(magic: [u8; 8], uuid: [u8; 16], ctime: i64) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..8].copy_from_slice(&magic);
    bytes[8..24].copy_from_slice(&uuid);
    bytes[24..32].copy_from_slice(&ctime.to_le_bytes());
    bytes
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Sha256::digest(&bytes[HEADER..]);
    bytes[CSUM..CSUM + 32].copy_from_slice(&checksum);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at real files")]

    use super::*;
    use proptest::prelude::*;

    fn digests() -> impl Strategy<Value = Vec<Digest>> {
        prop::collection::vec(any::<[u8; 32]>().prop_map(Digest), 0..40)
    }

    proptest! {
        #[test]
        fn fixed_index_reads_back(digests in digests(), chunk_size in 1u64..1 << 32, short in any::<u64>()) {
            let full = chunk_size * digests.len() as u64;
            let size = full - if digests.is_empty() { 0 } else { short % chunk_size };
            let index = Index::decode(Index::encode_fixed([1; 16], -5, size, chunk_size, &digests)).unwrap();
            prop_assert_eq!(index.kind(), Kind::Fixed);
            prop_assert_eq!(index.digests().collect::<Vec<_>>(), digests);
            prop_assert_eq!(index.size(), size);
            let ends: Vec<u64> = index.ranges().map(|(_, end)| end).collect();
            prop_assert!(ends.is_sorted_by(|a, b| a < b));
        }

        #[test]
        fn dynamic_index_reads_back(digests in digests(), sizes in prop::collection::vec(1u64..1 << 40, 40)) {
            let mut end = 0;
            let entries: Vec<(u64, Digest)> = digests.iter().zip(&sizes).map(|(digest, size)| {
                end += size;
                (end, *digest)
            }).collect();
            let index = Index::decode(Index::encode_dynamic([1; 16], 5, &entries)).unwrap();
            prop_assert_eq!(index.kind(), Kind::Dynamic);
            prop_assert_eq!(index.size(), end);
            let back: Vec<(u64, Digest)> =
                index.ranges().map(|(_, end)| end).zip(index.digests()).collect();
            prop_assert_eq!(back, entries);
        }

        #[test]
        fn no_flipped_bit_of_an_entry_goes_unnoticed(digests in digests(), at in any::<prop::sample::Index>()) {
            prop_assume!(!digests.is_empty());
            let mut bytes = Index::encode_fixed([1; 16], 0, digests.len() as u64, 1, &digests);
            let at = HEADER + at.index(bytes.len() - HEADER);
            bytes[at] ^= 0x40;
            prop_assert_eq!(Index::decode(bytes).unwrap_err().0, CSUM);
        }
    }

    #[test]
    fn damage_is_found_at_its_byte() {
        let good = || Index::encode_fixed([0; 16], 0, 2, 1, &[Digest([1; 32]), Digest([2; 32])]);
        let offset = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good();
            change(&mut bytes);
            Index::decode(bytes).unwrap_err().0
        };
        assert_eq!(offset(&|bytes| bytes[3] = 0), 0);
        assert_eq!(offset(&|bytes| bytes.truncate(4000)), 4000);
        assert_eq!(offset(&|bytes| bytes.truncate(4096 + 40)), 4096 + 32);
        assert_eq!(offset(&|bytes| bytes.truncate(4096 + 32)), SIZE);
        assert_eq!(offset(&|bytes| bytes[CHUNK_SIZE] = 0), CHUNK_SIZE);
        assert_eq!(offset(&|bytes| bytes[CSUM] ^= 1), CSUM);
        let backwards =
            Index::encode_dynamic([0; 16], 0, &[(9, Digest([1; 32])), (9, Digest([2; 32]))]);
        assert_eq!(Index::decode(backwards).unwrap_err().0, 4096 + 40);
    }

    #[test]
    fn file_that_is_no_index_is_named_with_its_byte() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.fidx");
        std::fs::write(&path, "short").unwrap();
        let error = read(&crate::LinuxSys, &path).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "index file {} is corrupt at byte 5: the header is cut short",
                path.display()
            )
        );
    }

    #[test]
    fn names_of_index_files_end_in_their_kind() {
        for (name, is_index) in [
            ("a.fidx", true),
            ("b.img.didx", true),
            (".fidx", false),
            ("a.fidx.tmp", false),
        ] {
            assert_eq!(is_index_file(Path::new(name)), is_index, "{name}");
        }
    }
}
