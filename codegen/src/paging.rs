//! How an operation's answer is continued, read from the client's paginator or, where it has none, from the names of
//! its members.

use std::collections::HashSet;
use std::path::Path;

use syn::Item;

use crate::smithy::{Kind, Shape};
use crate::source::{self, Result, SourceError};

/// How an operation's answer is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// It is not.
    Once,
    /// By a token.
    Token {
        /// The input's member.
        input: String,
        /// The way to it in the output: each member, and whether it may be missing.
        output: Vec<(String, bool)>,
        /// The member that says whether there is more, as an expression over `output`, where the client goes by it.
        truncated: Option<String>,
    },
}

/// Tokens of calls without a paginator: the input's member, then the output's members that may continue it.
const TOKENS: [(&str, &[&str]); 5] = [
    ("next_token", &["next_token", "next_page_token"]),
    ("marker", &["next_marker", "marker"]),
    ("continuation_token", &["next_continuation_token"]),
    ("next_marker", &["next_marker"]),
    ("page_token", &["next_page_token"]),
];

/// How the operation in a folder is continued. `root` is the folder of the client's `lib.rs`.
pub fn paging(root: &Path, folder: &Path, name: &str, output: &Shape) -> Result<Paging> {
    let paginator = folder.join("paginator.rs");
    if paginator.exists() {
        let text = source::read(&paginator)?;
        let lenses = source::read(&root.join("lens.rs"))?;
        let not_understood = || SourceError::Missing(format!("{}: its token is not understood", paginator.display()));
        return of_paginator(&text, &lenses).ok_or_else(not_understood);
    }
    let input = source::parse(&folder.join(format!("_{name}_input.rs")))?;
    Ok(by_name(&input, output))
}

/// The text between two others, after the first occurrence of the first.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// What the client's paginator does: it sets a member of the input to what one of the crate's lenses finds in the output.
fn of_paginator(text: &str, lenses: &str) -> Option<Paging> {
    let lens = between(text, "let new_token = crate::lens::", "(resp)")?;
    let set = text.split_once(" = new_token.cloned();")?.0;
    let input = set.rsplit_once("input.")?.1.to_owned();
    let truncated = between(text, "let is_empty = !resp.", ";").map(|member| format!("output.{member}"));
    let lens = between(lenses, &format!("fn {lens}("), "\n}")?;
    // A token that is no text would have to be kept as what it is; no service of ours has one.
    let (_, body) = lens.split_once("-> ::std::option::Option<&::std::string::String> {")?;
    let steps = body.split("let input = ").skip(1);
    let output: Option<Vec<(String, bool)>> = steps
        .map(|step| match step.strip_prefix("match &input.") {
            Some(step) => Some((step.split_once(" {")?.0.to_owned(), true)),
            None => Some((step.strip_prefix("&input.")?.split_once(';')?.0.to_owned(), false)),
        })
        .collect();
    output.filter(|output| !output.is_empty()).map(|output| Paging::Token { input, output, truncated })
}

fn by_name(input: &syn::File, output: &Shape) -> Paging {
    let inputs: HashSet<String> = input
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Struct(item) if item.ident.to_string().ends_with("Input") => Some(item),
            _ => None,
        })
        .flat_map(|item| item.fields.iter().filter_map(|field| field.ident.as_ref()))
        .map(ToString::to_string)
        .collect();
    let text = Some(Kind::Optional(Box::new(Kind::Scalar("String".to_owned()))));
    for (token, next) in TOKENS {
        let next =
            next.iter().find(|next| output.members.iter().any(|member| member.name == **next && member.kind == text));
        if let Some(next) = next.filter(|_| inputs.contains(token)) {
            let output = vec![((*next).to_owned(), true)];
            return Paging::Token { input: token.to_owned(), output, truncated: None };
        }
    }
    Paging::Once
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGINATOR: &str = "
        let new_token = crate::lens::reflens_list_output_output_meta_next(resp);
        input.start_at = new_token.cloned();
    ";

    fn lens(steps: &str) -> String {
        format!(
            "pub(crate) fn reflens_list_output_output_meta_next(\n    input: &X,\n) -> \
             ::std::option::Option<&::std::string::String> {{\n{steps}    ::std::option::Option::Some(input)\n}}\n"
        )
    }

    #[test]
    fn a_token_may_lie_deep() {
        let steps = "    let input = match &input.meta {\n        ::std::option::Option::None => return \
                     ::std::option::Option::None,\n        ::std::option::Option::Some(t) => t,\n    };\n    let input = \
                     &input.next;\n";
        let expected = Paging::Token {
            input: "start_at".to_owned(),
            output: vec![("meta".to_owned(), true), ("next".to_owned(), false)],
            truncated: None,
        };
        assert_eq!(of_paginator(PAGINATOR, &lens(steps)), Some(expected));
        assert_eq!(of_paginator(PAGINATOR, "fn another()"), None);
    }

    #[test]
    fn a_client_may_go_by_a_flag() {
        let paginator = format!("{PAGINATOR} let is_empty = !resp.is_truncated.unwrap_or(false);");
        let Some(Paging::Token { truncated, .. }) = of_paginator(&paginator, &lens("    let input = &input.next;\n"))
        else {
            panic!("it is continued");
        };
        assert_eq!(truncated.as_deref(), Some("output.is_truncated.unwrap_or(false)"));
    }
}
