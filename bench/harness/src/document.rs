//! The figures in the documentation, between two markers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;

/// Replaces what stands in a file between the markers `<!-- NAME -->` and `<!-- /NAME -->`.
pub fn rewrite(file: &Path, name: &str, table: &str) -> Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let date = jiff::Zoned::now().date();
    let block = format!("\n`cargo xtask bench {name}` on {date}, on {}:\n\n{table}\n", machine::shown());
    let text = replaced(&text, name, &block)
        .with_context(|| format!("{shown} has no `<!-- {name} -->` with `<!-- /{name} -->` after it"))?;
    fs::write(file, text).with_context(|| format!("cannot write {shown}"))
}

fn replaced(text: &str, name: &str, block: &str) -> Option<String> {
    let marker = format!("<!-- {name} -->");
    let begin = text.find(&marker)? + marker.len();
    let end = begin + text[begin..].find(&format!("<!-- /{name} -->"))?;
    Some(format!("{}\n{}{}", &text[..begin], block.trim_start_matches('\n'), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "# Title\n\n<!-- other -->\nx\n<!-- /other -->\n<!-- engine -->\nold\n<!-- /engine -->\n\nend\n";
        let expected = text.replace("old", "new");
        assert_eq!(replaced(text, "engine", "\nnew\n").as_deref(), Some(expected.as_str()));
        assert_eq!(replaced(&expected, "engine", "new\n"), Some(expected));
        assert_eq!(replaced("no markers", "engine", "new"), None);
    }
}
