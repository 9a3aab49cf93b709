//! What tells the state of one configuration from that of another, and what tells a configuration from what it was.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::shard::Shard;

/// The longest readable part of a key.
const READABLE: usize = 40;

/// The key of a configuration, such as `aws-1f2e3d4c` or `aws-1f2e3d4c-2of8`, by the files and folders that the command
/// line names: it is the same from wherever and in whatever order they are named. It is safe as a file's name.
pub fn key(files: &[impl AsRef<Path>], shard: Option<&Shard>) -> String {
    let mut files: Vec<PathBuf> = files.iter().map(|file| canonical(file.as_ref())).collect();
    files.sort();
    files.dedup();
    let name = files.first().and_then(|file| file.file_stem()).unwrap_or_default().to_string_lossy();
    let mut key: String = name.chars().take(READABLE).map(safe).collect();
    if key.is_empty() {
        key.push_str("sync");
    }
    let hash = digest(files.iter().map(|file| file.as_os_str().as_encoded_bytes()));
    key.push('-');
    key.push_str(&hash[..8]);
    if let Some(shard) = shard {
        key.push('-');
        key.push_str(&shard.name());
    }
    key
}

/// In short, all that a continued run must have in common with the run that was interrupted, such as the texts of the
/// configuration. None of it can be read from the answer.
pub fn fingerprint(texts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    digest(texts)[..32].to_owned()
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn safe(letter: char) -> char {
    match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '_') => letter,
        _ => '-',
    }
}

/// The SHA-256 in hexadecimal digits; each text goes in with its length, so that they do not run into each other.
fn digest(texts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut sha256 = Sha256::new();
    for text in texts {
        let text = text.as_ref();
        sha256.update((text.len() as u64).to_be_bytes());
        sha256.update(text);
    }
    sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_readable_and_tells_configurations_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("My AWS.yml"), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let (a, b) = (path("a/My AWS.yml"), path("b/My AWS.yml"));
        let first = key(&[&a], None);
        assert!(first.starts_with("my-aws-") && first.len() == 15, "{first}");
        assert_eq!(key(&[path("b/../a/My AWS.yml"), a.clone()], None), first);
        assert_ne!(key(&[&b], None), first);
        assert_ne!(key(&[&a, &b], None), first);
        assert_eq!(key(&[&a, &b], None), key(&[&b, &a], None));
        let shard = Shard::parse("2/8", |_| None).unwrap();
        assert_eq!(key(&[&a], Some(&shard)), format!("{first}-2of8"));
        assert!(key(&[path("a")], None).starts_with("a-"));
        assert!(key(&[Path::new("/")], None).starts_with("sync-"));
    }

    #[test]
    fn a_fingerprint_is_of_each_text() {
        let same = fingerprint(["a", "b"]);
        assert_eq!((same.len(), &same), (32, &fingerprint(["a", "b"])));
        for other in [fingerprint(["a"]), fingerprint(["ab", ""]), fingerprint(["b", "a"])] {
            assert_ne!(other, same);
        }
    }
}
