//! Names: snake case, Pascal case, valid column names, the nearest name.

/// Whether a name can be a table's or a column's: CloudQuery's rule `^[a-z_][a-z\d_]*$`.
pub fn is_column_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// `vpc_id` to `VpcId`. A raw identifier loses its `r#`.
pub fn pascal(name: &str) -> String {
    name.trim_start_matches("r#")
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

/// `DescribeVpcsOutput` to `describe_vpcs_output`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let starts_word = letter.is_ascii_uppercase()
            && index > 0
            && (!letters[index - 1].is_ascii_uppercase()
                || letters.get(index + 1).is_some_and(char::is_ascii_lowercase));
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The name without underscores in lower case: what two spellings of one name have in common.
pub fn folded(name: &str) -> String {
    name.trim_start_matches("r#").chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

/// One of what a plural names: `policies` to `policy`, `users` to `user`.
pub fn singular(plural: &str) -> String {
    if let Some(stem) = plural.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "xes", "ches"] {
        if plural.ends_with(ending) {
            return plural[..plural.len() - 2].to_owned();
        }
    }
    plural.strip_suffix('s').unwrap_or(plural).to_owned()
}

/// The parent's column that a child's key column names, with the parent's noun before it: of a parent `EbsSnapshots`,
/// `snapshot_arn` and `ebs_snapshot_arn` both name `arn`.
pub fn inherited<'a>(column: &'a str, parent: &str) -> Option<&'a str> {
    let noun = singular(&snake(parent));
    column.match_indices('_').find_map(|(at, _)| {
        let (own, rest) = (&column[..at], &column[at + 1..]);
        let ends = noun.strip_suffix(own).is_some_and(|before| before.is_empty() || before.ends_with('_'));
        (ends && !rest.is_empty()).then_some(rest)
    })
}

/// The candidate that a misspelt name most likely means.
fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The words that propose the nearest candidate, to follow a message; nothing where none is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        assert_eq!(pascal("vpc_id"), "VpcId");
        assert_eq!(pascal("r#type"), "Type");
        assert_eq!(snake("DescribeVpcsOutput"), "describe_vpcs_output");
        assert_eq!(snake("GetSAMLProvider"), "get_saml_provider");
        assert_eq!((singular("policies"), singular("addresses")), ("policy".to_owned(), "address".to_owned()));
        assert_eq!(inherited("user_arn", "Users"), Some("arn"));
        assert_eq!(inherited("snapshot_arn", "EbsSnapshots"), Some("arn"));
        assert_eq!(inherited("shot_arn", "EbsSnapshots"), None);
        assert_eq!(inherited("policy_arn", "Users"), None);
        assert_eq!(folded("sse_algorithm"), folded("SSEAlgorithm"));
        assert!(is_column_name("_cq_id") && !is_column_name("VpcId") && !is_column_name("9lives"));
    }
}
