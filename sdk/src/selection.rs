//! Which tables a sync reads: CloudQuery's `tables`, `skip_tables` and `skip_dependent_tables`.
//!
//! A pattern has `*` for any text. What is skipped goes with all below it. A child comes along with its parent unless
//! dependents are skipped, or when a pattern names it; a parent whose child is named is read too.

use std::sync::Arc;

use crate::registry::Node;
use crate::text::nearest;

/// The selection of a source.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Patterns of tables to read.
    pub tables: Vec<String>,
    /// Patterns of tables to leave out.
    pub skip: Vec<String>,
    /// Whether children are left out unless they are named.
    pub skip_dependent: bool,
}

/// A pattern that matches no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// The pattern.
    pub pattern: String,
    /// Whether it stands in `skip_tables`.
    pub skip: bool,
    /// The table that is most likely meant.
    pub nearest: Option<String>,
}

impl Selection {
    /// Every table.
    pub fn all() -> Self {
        Self { tables: vec!["*".to_owned()], skip: Vec::new(), skip_dependent: false }
    }

    /// The patterns that match nothing.
    pub fn unmatched(&self, roots: &[Node]) -> Vec<Unmatched> {
        let nodes: Vec<&Node> = roots.iter().flat_map(Node::flatten).collect();
        let names = || nodes.iter().flat_map(|node| node.names());
        let patterns = self.tables.iter().map(|pattern| (pattern, false));
        patterns
            .chain(self.skip.iter().map(|pattern| (pattern, true)))
            .filter(|(pattern, _)| !names().any(|name| matches(pattern, name)))
            .map(|(pattern, skip)| Unmatched {
                pattern: pattern.clone(),
                skip,
                nearest: nearest(pattern, names()).map(str::to_owned),
            })
            .collect()
    }

    /// The trees with only the selected tables in them.
    pub fn apply(&self, roots: Vec<Node>) -> Vec<Node> {
        roots.into_iter().filter_map(|root| self.prune(root, false)).collect()
    }

    fn prune(&self, mut node: Node, with_parent: bool) -> Option<Node> {
        if self.skip.iter().any(|pattern| node.is_meant(pattern)) {
            return None;
        }
        let named = self.tables.iter().any(|pattern| node.is_meant(pattern));
        let selected = named || with_parent && !self.skip_dependent;
        let children = node.children.into_iter().map(Arc::unwrap_or_clone);
        node.children = children.filter_map(|child| self.prune(child, selected)).map(Arc::new).collect();
        (selected || !node.children.is_empty()).then_some(node)
    }
}

/// Whether a name fits a pattern, in which `*` stands for any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*", "aws_ec2_vpcs", true),
            ("aws_ec2_*", "aws_ec2_vpcs", true),
            ("aws_ec2_*", "aws_s3_buckets", false),
            ("aws_ec2_vpcs", "aws_ec2_vpcs", true),
            ("aws_ec2_vpc", "aws_ec2_vpcs", false),
            ("*_vpcs", "aws_ec2_vpcs", true),
            ("aws_*_vpc*", "aws_ec2_vpcs", true),
            ("aws_*_vpc*x", "aws_ec2_vpcs", false),
            ("a*a", "a", false),
            ("", "aws_ec2_vpcs", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} ~ {name}");
        }
    }
}
