//! Digests: how two things are found equal without keeping either.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

/// The first 16 bytes of a SHA-256: enough to tell things apart, small enough to hold millions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Digests bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.add(bytes);
        hasher.finish()
    }

    /// A number that differs from digest to digest, for jitter that needs no source of chance.
    pub fn byte(self) -> u8 {
        self.0[0]
    }

    /// Digests the JSON of a value; object keys count in the order they stand.
    pub fn of_json<T: Serialize>(value: &T) -> Self {
        let mut gathered = Gathered { hasher: Hasher::default(), bytes: [0; 1024], filled: 0 };
        serde_json::to_writer(&mut gathered, value)
            .expect("a hasher takes every byte, and our values have string keys");
        gathered.finish()
    }
}

/// Takes bytes a piece at a time.
#[derive(Default)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds a piece so that it cannot run into the next.
    pub fn add_field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub fn add_digest(&mut self, digest: Digest) {
        self.0.update(digest.0);
    }

    pub fn finish(self) -> Digest {
        let full = self.0.finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        Digest(short)
    }
}

/// Gathers small pieces: JSON is written a few bytes at a time, and hashed faster in large pieces.
struct Gathered {
    hasher: Hasher,
    bytes: [u8; 1024],
    filled: usize,
}

impl Gathered {
    fn empty(&mut self) {
        self.hasher.add(&self.bytes[..self.filled]);
        self.filled = 0;
    }

    fn finish(mut self) -> Digest {
        self.empty();
        self.hasher.finish()
    }
}

impl std::io::Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.bytes.len() - self.filled {
            self.empty();
        }
        if bytes.len() > self.bytes.len() {
            self.hasher.add(bytes);
        } else {
            self.bytes[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
            self.filled += bytes.len();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// What was written where a [`Digest`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest: it has 32 hexadecimal characters")]
pub struct InvalidDigest(String);

impl std::str::FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let wrong = || InvalidDigest(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
