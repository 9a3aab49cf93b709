//! `_cq_id`: CloudQuery's deterministic row identifier.
//!
//! Source: plugin-sdk v4, `schema.Resource` (facts only): `uuid.NewHash(sha1, nil UUID, sha256(for each key column in
//! the order of the names: name + text of the value), 5)`.

use sha1::Digest;
use uuid::Uuid;

/// Puts a row's identifier together from the texts of its key.
#[derive(Default)]
pub struct CqId {
    sha256: sha2::Sha256,
}

impl CqId {
    /// Adds a key column; they must come in the order of their names.
    pub fn add(&mut self, name: &str, text: &[u8]) {
        self.sha256.update(name.as_bytes());
        self.sha256.update(text);
    }

    /// The identifier, and a fresh start.
    pub fn finish(&mut self) -> Uuid {
        let digest = std::mem::take(&mut self.sha256).finalize();
        let hash = sha1::Sha1::new().chain_update(Uuid::nil().as_bytes()).chain_update(digest).finalize();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&hash[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x50;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid::from_bytes(bytes)
    }
}

/// The identifier of a value by all that it holds: for rows that have no name of their own, such as rules.
pub fn hash_of<T: crate::WriteJson>(value: &T) -> Uuid {
    let mut text = Vec::new();
    value.write_json(&mut text);
    let mut id = CqId::default();
    id.add("", &text);
    id.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_version_5_uuid_of_the_key() {
        let mut id = CqId::default();
        id.add("arn", b"arn:aws:ec2:eu-west-1:1:vpc/vpc-1");
        let first = id.finish();
        assert_eq!(first.get_version_num(), 5);
        assert_eq!(first.get_variant(), uuid::Variant::RFC4122);
        id.add("arn", b"arn:aws:ec2:eu-west-1:1:vpc/vpc-1");
        assert_eq!(id.finish(), first, "the same key gives the same identifier");
        id.add("arn", b"arn:aws:ec2:eu-west-1:1:vpc/vpc-2");
        assert_ne!(id.finish(), first);
        // Computed independently: python3 -c "import hashlib,uuid; d=hashlib.sha256(b'arnarn:aws:ec2:eu-west-1:1:vpc/vpc-1')
        // .digest(); print(uuid.UUID(bytes=hashlib.sha1(bytes(16)+d).digest()[:16], version=5))"
        assert_eq!(first.to_string(), "730a216f-19d7-51f5-9aa7-de5dc4e93108");
    }
}
