//! Blobs: the container of a chunk, of a manifest and of a small file, in the format of Proxmox
//! Backup.
//!
//! A blob is a magic number of 8 bytes that says what it holds, the CRC-32 of all that follows the
//! header, and the data: plain, or one zstd frame. The content of the two encrypted kinds is for
//! whoever has the key; here they can only be checked and passed on.

use std::io::{self, Read as _};

/// The data of a blob has at most so many bytes.
pub const MAX_SIZE: usize = 16 * 1024 * 1024;

/// Size of the header of a blob that is not encrypted.
pub const HEADER: usize = 12;

/// Size of the header of an encrypted blob: initialization vector and tag follow the checksum.
const ENCRYPTED_HEADER: usize = HEADER + 16 + 16;

/// Level of compression: the fastest, since chunks are written while a client waits.
const LEVEL: i32 = 1;

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The data as it is.
    Plain,
    /// The data in a zstd frame.
    Zstd,
    /// Encrypted data.
    Encrypted,
    /// An encrypted zstd frame.
    EncryptedZstd,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Plain,
        Self::Zstd,
        Self::Encrypted,
        Self::EncryptedZstd,
    ];

    /// The first bytes of a blob of this kind.
    pub const fn magic(self) -> [u8; 8] {
        match self {
            Self::Plain => [66, 171, 56, 7, 190, 131, 112, 161],
            Self::Zstd => [49, 185, 88, 66, 111, 182, 163, 127],
            Self::Encrypted => [123, 103, 133, 190, 34, 45, 76, 240],
            Self::EncryptedZstd => [230, 89, 27, 191, 11, 191, 216, 11],
        }
    }

    /// The kind of a blob that begins with these bytes, of which there are at least 8.
    pub fn of(bytes: &[u8]) -> Result<Self, BlobError> {
        let Some(magic) = bytes.first_chunk() else {
            return Err(BlobError::CutShort(bytes.len()));
        };
        Self::ALL
            .into_iter()
            .find(|kind| kind.magic() == *magic)
            .ok_or(BlobError::NoMagic(*magic))
    }

    /// Whether its content needs a key.
    pub const fn is_encrypted(self) -> bool {
        match self {
            Self::Plain | Self::Zstd => false,
            Self::Encrypted | Self::EncryptedZstd => true,
        }
    }

    const fn header(self) -> usize {
        if self.is_encrypted() {
            ENCRYPTED_HEADER
        } else {
            HEADER
        }
    }
}

/// Bytes are not a blob, or not one whose content can be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The header is cut short.
    #[error("the header of the blob is cut short: the file has {0} bytes")]
    CutShort(usize),
    /// It is none.
    #[error("the magic number {0:?} is none of a blob")]
    NoMagic([u8; 8]),
    /// The content was changed after it was written.
    #[error("the checksum of the blob is {found:08x}, its header says {expected:08x}")]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the content yields.
        found: u32,
    },
    /// The checksum is right, and yet it cannot be unpacked.
    #[error("the content of the blob is no zstd frame: {0}")]
    Zstd(#[source] io::Error),
    /// There is more data in it than a blob may have.
    #[error("the blob has more than {MAX_SIZE} bytes of data")]
    TooLarge,
    /// It is sound, but its content needs a key.
    #[error("the blob is encrypted, so that only its owner can read it")]
    Encrypted,
}

/// The blob of some data: a zstd frame if that is smaller.
pub fn encode(data: &[u8]) -> Result<Vec<u8>, BlobError> {
    if data.len() > MAX_SIZE {
        return Err(BlobError::TooLarge);
    }
    let frame = zstd::bulk::compress(data, LEVEL).map_err(BlobError::Zstd)?;
    if frame.len() < data.len() {
        Ok(with_header(Kind::Zstd, &frame))
    } else {
        encode_plain(data)
    }
}

/// The blob of some data, not compressed.
pub fn encode_plain(data: &[u8]) -> Result<Vec<u8>, BlobError> {
    if data.len() > MAX_SIZE {
        return Err(BlobError::TooLarge);
    }
    Ok(with_header(Kind::Plain, data))
}

fn with_header(kind: Kind, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(&kind.magic());
    bytes.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Checks magic number, size and checksum, which needs no key.
pub fn check(bytes: &[u8]) -> Result<Kind, BlobError> {
    let kind = Kind::of(bytes)?;
    if bytes.len() < kind.header() {
        return Err(BlobError::CutShort(bytes.len()));
    }
    let mut expected = [0; 4];
    expected.copy_from_slice(&bytes[8..HEADER]);
    let expected = u32::from_le_bytes(expected);
    let found = crc32fast::hash(&bytes[kind.header()..]);
    if found != expected {
        return Err(BlobError::Checksum { expected, found });
    }
    Ok(kind)
}

/// The data of a blob, which is checked; [`BlobError::Encrypted`] if it is sound but needs a key.
pub fn decode(bytes: &[u8]) -> Result<Vec<u8>, BlobError> {
    let kind = check(bytes)?;
    let content = &bytes[kind.header()..];
    let data = match kind {
        Kind::Plain => content.to_vec(),
        Kind::Zstd => decompress(content).map_err(BlobError::Zstd)?,
        Kind::Encrypted | Kind::EncryptedZstd => return Err(BlobError::Encrypted),
    };
    if data.len() > MAX_SIZE {
        return Err(BlobError::TooLarge);
    }
    Ok(data)
}

/// Unpacks a frame, but no further than one byte beyond what a blob may have.
fn decompress(frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    zstd::Decoder::with_buffer(frame)?
        .take(MAX_SIZE as u64 + 1)
        .read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// CRC-32 as its definition says, bit by bit: polynomial 0xEDB88320, start and end inverted.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
            })
        })
    }

    fn data() -> impl Strategy<Value = Vec<u8>> {
        let random = prop::collection::vec(any::<u8>(), 0..2000);
        let repeated = (any::<u8>(), 0usize..200_000).prop_map(|(byte, n)| vec![byte; n]);
        prop_oneof![random, repeated]
    }

    proptest! {
        #[test]
        fn data_reads_back_and_the_smaller_kind_is_chosen(data in data()) {
            let blob = encode(&data).unwrap();
            let plain = encode_plain(&data).unwrap();
            prop_assert_eq!(decode(&blob).unwrap(), &data[..]);
            prop_assert_eq!(decode(&plain).unwrap(), &data[..]);
            prop_assert!(blob.len() <= plain.len());
            let expected = if blob.len() < plain.len() { Kind::Zstd } else { Kind::Plain };
            prop_assert_eq!(check(&blob).unwrap(), expected);
        }

        #[test]
        fn layout_is_magic_checksum_content(data in data()) {
            let plain = encode_plain(&data).unwrap();
            prop_assert_eq!(&plain[..8], &[66, 171, 56, 7, 190, 131, 112, 161]);
            prop_assert_eq!(&plain[8..12], &crc32(&data).to_le_bytes());
            prop_assert_eq!(&plain[12..], &data[..]);
        }

        #[test]
        fn flipped_bit_of_the_content_is_found(data in data(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            prop_assume!(!data.is_empty());
            for mut blob in [encode(&data).unwrap(), encode_plain(&data).unwrap()] {
                let at = 8 + at.index(blob.len() - 8);
                blob[at] ^= 1 << bit;
                let is_found = matches!(decode(&blob), Err(BlobError::Checksum { .. }));
                prop_assert!(is_found);
            }
        }

        #[test]
        fn no_bytes_at_all_make_decode_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), kind in 0usize..4) {
            decode(&bytes).unwrap_or_default();
            let kind = Kind::ALL[kind];
            let mut blob = kind.magic().to_vec();
            blob.extend_from_slice(&crc32(bytes.get(kind.header() - 12..).unwrap_or_default()).to_le_bytes());
            blob.extend_from_slice(&bytes);
            decode(&blob).unwrap_or_default();
        }
    }

    #[test]
    fn encrypted_blob_is_checked_but_not_read() {
        for kind in [Kind::Encrypted, Kind::EncryptedZstd] {
            let mut blob = kind.magic().to_vec();
            blob.extend_from_slice(&crc32(b"secret").to_le_bytes());
            blob.extend_from_slice(&[9; 32]);
            blob.extend_from_slice(b"secret");
            assert_eq!(check(&blob).unwrap(), kind);
            assert!(matches!(decode(&blob), Err(BlobError::Encrypted)));
            *blob.last_mut().unwrap() ^= 1;
            assert!(matches!(check(&blob), Err(BlobError::Checksum { .. })));
            blob.truncate(43);
            assert!(matches!(check(&blob), Err(BlobError::CutShort(43))));
        }
    }

    #[test]
    fn what_is_no_blob_is_said_to_be_none() {
        assert!(matches!(decode(b""), Err(BlobError::CutShort(0))));
        let magic = Kind::Plain.magic();
        assert!(matches!(decode(&magic), Err(BlobError::CutShort(8))));
        assert!(matches!(
            decode(b"no blob, surely"),
            Err(BlobError::NoMagic(_))
        ));
        let text = with_header(Kind::Zstd, b"no frame");
        assert!(matches!(decode(&text), Err(BlobError::Zstd(_))));
        let mut cut = encode(&vec![0; 100_000]).unwrap();
        cut.truncate(cut.len() - 3);
        let cut = with_header(Kind::Zstd, &cut[HEADER..]);
        assert!(matches!(decode(&cut), Err(BlobError::Zstd(_))));
    }

    #[test]
    fn data_may_have_16_mebibytes_and_no_more() {
        let largest = vec![0; MAX_SIZE];
        assert_eq!(decode(&encode(&largest).unwrap()).unwrap(), largest);
        let larger = vec![0; MAX_SIZE + 1];
        assert!(matches!(encode(&larger), Err(BlobError::TooLarge)));
        assert!(matches!(encode_plain(&larger), Err(BlobError::TooLarge)));
        let frame = zstd::bulk::compress(&vec![0; 10 * MAX_SIZE], LEVEL).unwrap();
        for blob in [
            with_header(Kind::Plain, &larger),
            with_header(Kind::Zstd, &frame),
        ] {
            assert!(matches!(decode(&blob), Err(BlobError::TooLarge)));
        }
    }
}
