//! Doc comments: collected from attributes, and a client's HTML turned into one line of Markdown.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The text of an item's doc comment, lines joined by line feeds and trimmed.
pub fn doc_comment(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The first paragraph of a doc comment as one line of Markdown.
pub fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first paragraph of a client's HTML documentation as one line of Markdown.
///
/// Tags become Markdown where it has them (`code`, `i`, `b`) and are left out elsewhere; a link keeps its text.
pub fn markdown(html: &str) -> String {
    let first = ["</p>", "<ul", "<ol", "<note", "<important", "<dl", "<table"]
        .iter()
        .filter_map(|end| html.find(end).filter(|at| *at > 0))
        .min()
        .map_or(html, |end| &html[..end]);
    let mut out = String::new();
    let mut rest = first;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('>') else {
            rest = &rest[start..];
            break;
        };
        let tag = &rest[start + 1..start + length];
        let name: String =
            tag.trim_start_matches('/').chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
        match name.as_str() {
            "code" => out.push('`'),
            "i" | "em" => out.push('*'),
            "b" | "strong" => out.push_str("**"),
            "p" | "br" | "li" | "div" => out.push(' '),
            _ => {}
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    let text = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    one_line(&text.replace("\n\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_one_line() {
        let html = "<p>The ID of the <code>VPC</code>. See <a href=\"https://x\">VPCs</a>\n in <i>the guide</i>.</p><ul><li><p>no</p></li></ul>";
        assert_eq!(markdown(html), "The ID of the `VPC`. See VPCs in *the guide*.");
        assert_eq!(markdown("Plain &amp; simple"), "Plain & simple");
        assert_eq!(markdown(""), "");
    }
}
