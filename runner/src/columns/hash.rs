//! Keyed hashes: HMAC-SHA-256 (RFC 2104, FIPS 180-4), as 64 hexadecimal digits.
//!
//! The same value has the same hash in every column, table and sync with the same key, so that hashed columns can still
//! be joined; without the key, a guess cannot be tried.

use std::fmt;

use headwater_sdk::Error;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Hashes values by a key.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

/// Shows nothing of the key.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Hasher {
    /// A key shorter than this, in bytes, could be guessed.
    pub const SHORTEST_KEY: usize = 16;

    /// Takes a key of any length.
    ///
    /// # Errors
    /// None that is known of: HMAC takes keys of any length.
    pub fn new(key: &SecretString) -> Result<Self, Error> {
        let mac = Hmac::new_from_slice(key.expose_secret().as_bytes());
        mac.map(Self).map_err(|_| Error::fatal("the key cannot be used for hashing"))
    }

    /// The 32 bytes of a value's hash.
    fn bytes(&self, value: &[u8]) -> [u8; 32] {
        // The state after the key is copied, so that the key is worked in once.
        let mut mac = self.0.clone();
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// Appends the hash of a value as 64 lower-case hexadecimal digits.
    pub fn hex(&self, value: &[u8], out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.bytes(value) {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }

    /// Another identifier for an identifier: a UUID of version 8 (RFC 9562), always the same for the same one.
    pub fn uuid(&self, id: &[u8]) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.bytes(id)[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // RFC 4231, test case 2.
        let hasher = Hasher::new(&SecretString::from("Jefe")).unwrap();
        let mut out = Vec::new();
        hasher.hex(b"what do ya want for nothing?", &mut out);
        let hash = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(String::from_utf8(out).unwrap(), hash);
        let id = uuid::Uuid::from_bytes(hasher.uuid(b"what do ya want for nothing?"));
        assert_eq!(id.to_string(), "5bdcc146-bf60-854e-aa04-2426089575c7");
        assert_eq!(format!("{hasher:?}"), "Hasher");
    }
}
