//! A small disk of one's own, for tests of what happens when a disk is full: in memory, gone with its value.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The disk; it is unmounted when this is dropped.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts a disk of so many MiB. Only root may, on Linux, and not in every container.
    pub fn mount(mebibytes: u32) -> Result<Self> {
        ensure!(cfg!(target_os = "linux"), "disks in memory (tmpfs) are known of Linux only");
        let folder = tempfile::Builder::new().prefix("headwater-disk-").tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(folder.path());
        let output = mount.stdin(Stdio::null()).output().context("`mount` cannot be run")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self(folder))
    }

    /// The same; where that is not permitted, the reason is printed, and the test that asked is to end.
    pub fn or_skip(mebibytes: u32) -> Option<Self> {
        let mounted = Self::mount(mebibytes);
        mounted.inspect_err(|error| eprintln!("skipped, because no small disk can be mounted: {error:#}")).ok()
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of zeros until nothing more fits but `left` bytes, which are given back.
    pub fn fill(&self, left: u64) -> Result<()> {
        let path = self.path().join("filling");
        let mut file = std::fs::File::create(&path)?;
        let full = std::io::copy(&mut std::io::repeat(0), &mut file);
        ensure!(
            full.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull),
            "the disk did not become full"
        );
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(left)).context("the disk cannot be given room")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that fails may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).stdin(Stdio::null()).status();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::SmallDisk;

    #[test]
    fn it_is_full_soon_and_gone_afterwards() {
        let Some(disk) = SmallDisk::or_skip(1) else { return };
        disk.fill(4096).unwrap();
        let file = |bytes: usize| std::fs::write(disk.path().join("more"), vec![0; bytes]);
        file(4096).unwrap();
        assert_eq!(file(8192).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        let path = disk.path().to_owned();
        drop(disk);
        assert!(!path.exists(), "{} is still there", path.display());
    }
}
