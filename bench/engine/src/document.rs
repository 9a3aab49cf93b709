//! The figures in the documentation, between two markers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;

const BEGIN: &str = "<!-- engine -->";
const END: &str = "<!-- /engine -->";

/// Replaces what stands between the markers of a file.
pub fn rewrite(file: &Path, table: &str) -> Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let date = jiff::Zoned::now().date();
    let block = format!("\n`cargo xtask bench engine` on {date}, on {}:\n\n{table}\n", machine::shown());
    let text = replaced(&text, &block).with_context(|| format!("{shown} has no `{BEGIN}` with `{END}` after it"))?;
    fs::write(file, text).with_context(|| format!("cannot write {shown}"))
}

fn replaced(text: &str, block: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{}{}", &text[..begin], block.trim_start_matches('\n'), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nend\n");
        let expected = format!("# Title\n\n{BEGIN}\nnew\n{END}\n\nend\n");
        assert_eq!(replaced(&text, "\nnew\n"), Some(expected.clone()));
        assert_eq!(replaced(&expected, "new\n"), Some(expected));
        assert_eq!(replaced("no markers", "new"), None);
    }
}
