//! Every wrong annotation has an error at its own token that says what to do.

use std::process::Command;

/// Part of each message is the compiler's own, and its words change from version to version.
const WORDED_BY: &str = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");

#[test]
fn wrong_annotations() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version).into_owned();
    if version.starts_with(WORDED_BY) {
        trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
    } else {
        eprintln!("the messages in tests/fail are compared with {WORDED_BY}x only, not with {version}");
    }
}
