//! How the state of a sync is written down: a first line that says what run it is, and a line for each unit that is done.

use headwater_sdk::{Error, Result, SavedRun, Timestamp, UnitHash};

/// What every state begins with; the number is of this form of it.
const START: &str = "headwater-state 1";

/// The first line of a run.
pub fn head(sync_time: Timestamp, fingerprint: &str) -> Result<String> {
    if fingerprint.contains('\n') {
        return Err(Error::fatal("the configuration's fingerprint has more than one line"));
    }
    Ok(format!("{START} {} {fingerprint}\n", sync_time.0))
}

/// The error that units are to be added to a run before there is one.
pub fn not_begun() -> Error {
    Error::fatal("the state of the sync is added to before it has begun")
}

/// The lines of units.
pub fn lines(units: &[UnitHash]) -> String {
    units.iter().map(|unit| format!("{:032x}\n", u128::from_be_bytes(unit.0))).collect()
}

/// The run, and how many of the bytes are whole lines. A process that was killed may have left a line in the middle;
/// reading ends there.
pub fn parse(bytes: &[u8]) -> (Option<SavedRun>, usize) {
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let head = || {
        let text = std::str::from_utf8(&bytes[..first]).ok()?.strip_suffix('\n')?;
        let (sync_time, fingerprint) = text.strip_prefix(START)?.strip_prefix(' ')?.split_once(' ')?;
        Some((Timestamp(sync_time.parse().ok()?), fingerprint.to_owned()))
    };
    let Some((sync_time, fingerprint)) = head() else { return (None, 0) };
    let (units, length) = units(&bytes[first..]);
    (Some(SavedRun { sync_time, fingerprint, units }), first + length)
}

/// The units of whole lines, and how many bytes these are.
pub fn units(bytes: &[u8]) -> (Vec<UnitHash>, usize) {
    let (mut units, mut end) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix('\n'));
        let number = text.filter(|text| text.len() == 32).and_then(|text| u128::from_str_radix(text, 16).ok());
        let Some(number) = number else { break };
        units.push(UnitHash(number.to_be_bytes()));
        end += line.len();
    }
    (units, end)
}
