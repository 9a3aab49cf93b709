//! The tables that the local AWS cannot answer.

/// Names of tables, from `unsupported.txt`.
pub fn unsupported() -> Vec<&'static str> {
    names(include_str!("../unsupported.txt"))
}

fn names(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{names, unsupported};

    #[test]
    fn comments_and_empty_lines_are_no_names() {
        assert_eq!(names("# one\n\naws_a\n  aws_b  # why\n"), ["aws_a", "aws_b"]);
    }

    #[test]
    fn the_list_is_sorted_and_names_nothing_twice() {
        let listed = unsupported();
        assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "sort it: {listed:?}");
    }
}
