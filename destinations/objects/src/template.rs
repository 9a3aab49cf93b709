//! The objects' names: text with placeholders, of which each write mode needs some and forbids others.

use std::borrow::Cow;

use headwater_sdk::{Error, Part, Result, WriteMode, text};

use crate::names;

/// A placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Table,
    TableHyphen,
    Unit,
    Source,
    Format,
    SyncId,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Uuid,
}

const PLACEHOLDERS: [(&str, Placeholder); 12] = [
    ("TABLE", Placeholder::Table),
    ("TABLE_HYPHEN", Placeholder::TableHyphen),
    ("UNIT", Placeholder::Unit),
    ("SOURCE", Placeholder::Source),
    ("FORMAT", Placeholder::Format),
    ("SYNC_ID", Placeholder::SyncId),
    ("YEAR", Placeholder::Year),
    ("MONTH", Placeholder::Month),
    ("DAY", Placeholder::Day),
    ("HOUR", Placeholder::Hour),
    ("MINUTE", Placeholder::Minute),
    ("UUID", Placeholder::Uuid),
];

impl Placeholder {
    /// Whether it stands for something else in every sync.
    fn changes(self) -> bool {
        !matches!(self, Self::Table | Self::TableHyphen | Self::Unit | Self::Source | Self::Format)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Of(Placeholder),
}

/// The objects' names.
#[derive(Debug, Clone)]
pub struct Template {
    written: String,
    pieces: Vec<Piece>,
    extension: &'static str,
}

impl Template {
    /// Reads a folder's name, or an object's name with placeholders; `extension` is what `{{FORMAT}}` stands for.
    pub fn parse(path: &str, extension: &'static str) -> Result<Self> {
        let refuse = |why: String| Err(Error::fatal(format!("`path: {path}` {why}")));
        if path.trim().is_empty() || path.contains('\0') {
            return Err(Error::fatal("`path` must name a folder, such as cloud"));
        }
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return refuse("has a {{ without its }}".to_owned());
            };
            let Some((_, placeholder)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
                let names = || PLACEHOLDERS.iter().map(|(name, _)| *name);
                return match text::nearest(name, names()) {
                    Some(near) => {
                        refuse(format!("has the unknown placeholder {{{{{name}}}}}; did you mean {{{{{near}}}}}?"))
                    }
                    None => refuse(format!(
                        "has the unknown placeholder {{{{{name}}}}}; there are {}",
                        names().collect::<Vec<_>>().join(", ")
                    )),
                };
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Of(*placeholder));
            rest = after;
        }
        if pieces.is_empty() {
            let folder = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
            return Ok(Self { written: path.to_owned(), pieces: vec![Piece::Text(folder)], extension });
        }
        if rest.ends_with('/') {
            return refuse(
                "ends with a /; a path with placeholders names a file, such as {{UNIT}}.{{FORMAT}}".to_owned(),
            );
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { written: path.to_owned(), pieces, extension })
    }

    fn is_folder(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Text(_)])
    }

    fn has(&self, placeholder: Placeholder) -> bool {
        self.pieces.contains(&Piece::Of(placeholder))
    }

    /// Whether a table's, unit's or source's name follows another without a dot or slash between them: units hold dots
    /// themselves, but the others do not, so one dot keeps them apart.
    fn is_ambiguous(&self) -> bool {
        let mut open = false;
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(text) => {
                open &= !text.contains(['.', '/']);
                false
            }
            Piece::Of(Placeholder::Table | Placeholder::TableHyphen | Placeholder::Unit | Placeholder::Source) => {
                std::mem::replace(&mut open, true)
            }
            Piece::Of(_) => false,
        })
    }

    /// Checks that the names fit a write mode: that no two parts of a sync have the same, and that the next sync finds
    /// them again, or does not.
    pub fn check(&self, mode: WriteMode) -> Result<()> {
        let path = &self.written;
        let refuse = |why: &str| {
            Err(Error::fatal(format!("`path: {path}` cannot be used in write_mode {}: {why}", mode.as_str())))
        };
        if mode == WriteMode::Overwrite {
            return Err(Error::fatal(
                "files cannot be changed row by row, which `write_mode: overwrite` asks for; set \
                 `write_mode: overwrite-delete-stale` (each unit's file is replaced) or `write_mode: append` (each sync \
                 adds files)",
            ));
        }
        if self.is_folder() {
            return Ok(());
        }
        if !self.has(Placeholder::Table) && !self.has(Placeholder::TableHyphen) {
            return refuse("rows of all tables would go into the same files; put {{TABLE}} in");
        }
        if mode == WriteMode::Append && self.has(Placeholder::Uuid) {
            return Ok(());
        }
        if self.is_ambiguous() {
            return refuse(
                "two names run into each other, so that different files could have one name; put a / or a . between \
                 {{TABLE}}, {{UNIT}} and {{SOURCE}}",
            );
        }
        if mode == WriteMode::Append {
            if self.has(Placeholder::SyncId) && self.has(Placeholder::Unit) {
                return Ok(());
            }
            return refuse(
                "a sync would replace files of an earlier one; put {{UUID}} in, or {{SYNC_ID}} and {{UNIT}}",
            );
        }
        if let Some((name, _)) =
            PLACEHOLDERS.iter().find(|(_, placeholder)| placeholder.changes() && self.has(*placeholder))
        {
            return refuse(&format!(
                "{{{{{name}}}}} is another one in each sync, so earlier files would never be replaced; take it out, or set \
                 `write_mode: append`"
            ));
        }
        if !self.has(Placeholder::Unit) {
            return refuse("the units of a table would replace each other's files; put {{UNIT}} in");
        }
        Ok(())
    }

    /// The folder that all objects are in, with a slash at its end where it has a name.
    pub fn root(&self) -> &str {
        let Some(Piece::Text(start)) = self.pieces.first() else { return "" };
        &start[..start.rfind('/').map_or(0, |at| at + 1)]
    }

    /// How many folders deep below the root the objects are.
    pub fn depth(&self) -> usize {
        if self.is_folder() {
            return 1;
        }
        let slashes = |text: &str| text.matches('/').count();
        let all: usize =
            self.pieces.iter().map(|piece| if let Piece::Text(text) = piece { slashes(text) } else { 0 }).sum();
        all - slashes(self.root())
    }

    /// What names are made of, but in `append`.
    fn pieces(&self) -> Cow<'_, [Piece]> {
        match self.pieces.as_slice() {
            [Piece::Text(start)] => {
                let text = |text: &str| Piece::Text(text.to_owned());
                let [table, unit] = [Placeholder::Table, Placeholder::Unit].map(Piece::Of);
                vec![text(start), table, text("/"), unit, text("."), Piece::Of(Placeholder::Format)].into()
            }
            pieces => pieces.into(),
        }
    }

    /// Whether an object of this name may be one of these.
    pub fn fits(&self, name: &str) -> bool {
        self.fit(&self.pieces(), name, None)
    }

    /// Whether an object of this name may be of a source's unit of a table.
    pub(crate) fn fits_of(&self, table: &str, source: &str, name: &str) -> bool {
        self.fit(&self.pieces(), name, Some((table, source)))
    }

    /// With what the names of a source's units of a table begin.
    pub(crate) fn prefix(&self, table: &str, source: &str) -> String {
        let mut prefix = String::new();
        for piece in self.pieces().iter() {
            match piece {
                Piece::Text(text) => prefix.push_str(text),
                Piece::Of(Placeholder::Table) => prefix.push_str(&names::plain(table)),
                Piece::Of(Placeholder::TableHyphen) => prefix.push_str(&names::hyphenated(table)),
                Piece::Of(Placeholder::Source) => prefix.push_str(&names::plain(source)),
                Piece::Of(_) => break,
            }
        }
        prefix
    }

    fn fit(&self, pieces: &[Piece], name: &str, of: Option<(&str, &str)>) -> bool {
        let Some((first, rest)) = pieces.split_first() else { return name.is_empty() };
        let after = |start: &str| name.strip_prefix(start).is_some_and(|name| self.fit(rest, name, of));
        match (first, of) {
            (Piece::Of(Placeholder::Table), Some((table, _))) => return after(&names::plain(table)),
            (Piece::Of(Placeholder::TableHyphen), Some((table, _))) => return after(&names::hyphenated(table)),
            (Piece::Of(Placeholder::Source), Some((_, source))) => return after(&names::plain(source)),
            (Piece::Of(Placeholder::Unit), Some((_, source))) if !name.starts_with(&names::start_of_unit(source)) => {
                return false;
            }
            _ => {}
        }
        match first {
            Piece::Text(text) => after(text),
            Piece::Of(Placeholder::Format) => after(self.extension),
            // What a placeholder stands for is never empty and holds no slash.
            Piece::Of(_) => {
                let end = name.find('/').unwrap_or(name.len());
                let mut ends = name.char_indices().map(|(at, letter)| at + letter.len_utf8());
                ends.any(|at| at <= end && self.fit(rest, &name[at..], of))
            }
        }
    }

    /// The name of a part's object.
    pub fn name(&self, part: &Part) -> String {
        let [year, month, day, hour, minute] = names::moment(part.sync_time);
        let mut name = String::new();
        let write = |piece: &Piece, name: &mut String| match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Of(placeholder) => name.push_str(&match placeholder {
                Placeholder::Table => names::plain(&part.table.name),
                Placeholder::TableHyphen => names::hyphenated(&part.table.name),
                Placeholder::Unit => names::unit(&part.source, &part.scope),
                Placeholder::Source => names::plain(&part.source),
                Placeholder::Format => self.extension.to_owned(),
                Placeholder::SyncId => names::sync(part.sync_time),
                Placeholder::Year => year.clone(),
                Placeholder::Month => month.clone(),
                Placeholder::Day => day.clone(),
                Placeholder::Hour => hour.clone(),
                Placeholder::Minute => minute.clone(),
                Placeholder::Uuid => names::id(part).to_string(),
            }),
        };
        self.pieces.iter().for_each(|piece| write(piece, &mut name));
        if self.is_folder() {
            let text = |text: &str| Piece::Text(text.to_owned());
            let sync = [Piece::Of(Placeholder::SyncId), text(".")];
            let sync = if part.mode == WriteMode::Append { &sync[..] } else { &[] };
            let table = [Piece::Of(Placeholder::Table), text("/")];
            let unit = [Piece::Of(Placeholder::Unit), text("."), Piece::Of(Placeholder::Format)];
            table.iter().chain(sync).chain(&unit).for_each(|piece| write(piece, &mut name));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use headwater_sdk::{Scopes, TableSchema, Timestamp};
    use std::sync::Arc;

    fn part(mode: WriteMode) -> Part {
        Part {
            table: Arc::new(TableSchema::new("aws_s3_buckets", "", None, Scopes::SINGLE, Vec::new())),
            source: "aws".to_owned(),
            scope: "1/eu".to_owned(),
            predicate: Vec::new(),
            ranges: Vec::new(),
            sync_time: Timestamp(1_795_251_542_123_456),
            mode,
            resumed: false,
            rejects: None,
        }
    }

    fn file(path: &str, mode: WriteMode) -> String {
        let template = Template::parse(path, "jsonl.gz").unwrap();
        template.check(mode).unwrap();
        template.name(&part(mode))
    }

    #[test]
    fn names_of_files() {
        const STALE: WriteMode = WriteMode::OverwriteDeleteStale;
        assert_eq!(file("out", STALE), "out/aws_s3_buckets/aws.1.eu.jsonl.gz");
        assert_eq!(file("/out/", STALE), "/out/aws_s3_buckets/aws.1.eu.jsonl.gz");
        assert_eq!(file("out", WriteMode::Append), "out/aws_s3_buckets/20261121T085902_123456Z.aws.1.eu.jsonl.gz");
        assert_eq!(file("{{SOURCE}}/{{UNIT}}/{{TABLE}}", STALE), "aws/aws.1.eu/aws_s3_buckets");
        let dated = file("o-{{TABLE}}/{{YEAR}}/{{MONTH}}/{{DAY}}/{{HOUR}}{{MINUTE}}-{{UUID}}.x", WriteMode::Append);
        assert!(dated.starts_with("o-aws_s3_buckets/2026/11/21/0859-") && dated.len() == 33 + 36 + 2, "{dated}");
    }

    #[test]
    fn a_part_has_the_same_name_again_and_no_other_part_has_it() {
        let template = Template::parse("o/{{TABLE}}/{{UUID}}", "csv").unwrap();
        let name = |change: fn(&mut Part)| {
            let mut part = part(WriteMode::Append);
            change(&mut part);
            template.name(&part)
        };
        let first = name(|_| {});
        assert_eq!(name(|part| part.resumed = true), first);
        let others: [fn(&mut Part); 4] = [
            |part| part.sync_time.0 += 1,
            |part| part.scope = "1/us".to_owned(),
            |part| part.source = "other".to_owned(),
            |part| (part.source, part.scope) = ("aws1".to_owned(), "/eu".to_owned()),
        ];
        for other in others {
            assert_ne!(name(other), first);
        }
    }

    #[test]
    fn hive_partitions_are_folders_of_a_template() {
        let hive = "lake/table={{TABLE}}/year={{YEAR}}/month={{MONTH}}/{{UUID}}.{{FORMAT}}";
        let name = file(hive, WriteMode::Append);
        assert!(
            name.starts_with("lake/table=aws_s3_buckets/year=2026/month=11/") && name.ends_with(".jsonl.gz"),
            "{name}"
        );
        let stale = "lake/{{TABLE_HYPHEN}}/source={{SOURCE}}/unit={{UNIT}}/rows.{{FORMAT}}";
        let name = file(stale, WriteMode::OverwriteDeleteStale);
        assert_eq!(name, "lake/aws-s3-buckets/source=aws/unit=aws.1.eu/rows.jsonl.gz");
    }

    #[test]
    fn names_that_fit() {
        for (path, mode) in [
            ("out", WriteMode::OverwriteDeleteStale),
            ("out", WriteMode::Append),
            ("{{SOURCE}}/{{UNIT}}.{{TABLE}}", WriteMode::OverwriteDeleteStale),
            ("o/t={{TABLE}}/{{YEAR}}{{MONTH}}/{{UUID}}.{{FORMAT}}", WriteMode::Append),
        ] {
            let template = Template::parse(path, "jsonl.gz").unwrap();
            let name = template.name(&part(mode));
            assert!(template.fits(&name), "{path}: {name}");
            for other in [format!("{name}x/y"), format!("x/{name}"), "out/x".to_owned(), String::new()] {
                assert!(!template.fits(&other), "{path}: {other}");
            }
        }
    }

    #[test]
    fn names_of_a_source_and_a_table() {
        for path in ["out", "{{SOURCE}}/{{UNIT}}.{{TABLE}}", "o/t={{TABLE_HYPHEN}}/{{UNIT}}.{{FORMAT}}"] {
            let template = Template::parse(path, "csv").unwrap();
            for scope in ["", "1/eu", "A b"] {
                let part = Part { scope: scope.to_owned(), ..part(WriteMode::OverwriteDeleteStale) };
                let (table, name) = (part.table.name.as_str(), template.name(&part));
                assert!(template.fits_of(table, "aws", &name) && name.starts_with(&template.prefix(table, "aws")));
                for (table, source) in
                    [("aws_s3", "aws"), ("aws_s3_buckets_", "aws"), (table, "bws"), (table, "awsome")]
                {
                    assert!(!template.fits_of(table, source, &name), "{path}: {name} of {table} and {source}");
                }
            }
            assert!(!template.fits_of("aws_s3_buckets", "aws", "out/aws_s3_buckets/mine.csv"));
        }
        let long = "X".repeat(300);
        let template = Template::parse("out", "csv").unwrap();
        let name = template.name(&Part { source: long.clone(), ..part(WriteMode::OverwriteDeleteStale) });
        assert!(template.fits_of("aws_s3_buckets", &long, &name), "{name}");
    }

    #[test]
    fn roots_and_depths() {
        for (path, root, depth) in [
            ("out", "out/", 1),
            ("/a/b/{{TABLE}}/x/{{UNIT}}", "/a/b/", 2),
            ("a/b-{{TABLE}}.{{UNIT}}", "a/", 0),
            ("{{TABLE}}/{{UNIT}}", "", 1),
        ] {
            let template = Template::parse(path, "csv").unwrap();
            assert_eq!((template.root(), template.depth()), (root, depth), "{path}");
        }
    }

    #[test]
    fn wrong_templates_say_what_to_do() {
        let parse = |path: &str| Template::parse(path, "csv").unwrap_err().to_string();
        assert!(parse("").contains("must name a folder"));
        assert!(parse("a/{{TABEL}}").contains("did you mean {{TABLE}}?"));
        assert!(parse("a/{{???}}").contains("there are TABLE, TABLE_HYPHEN, UNIT"));
        assert!(parse("a/{{TABLE").contains("without its }}"));
        assert!(parse("a/{{TABLE}}/").contains("ends with a /"));
        let check = |path: &str, mode| Template::parse(path, "csv").unwrap().check(mode).unwrap_err().to_string();
        let stale = WriteMode::OverwriteDeleteStale;
        assert!(check("a/{{UNIT}}", stale).contains("put {{TABLE}} in"));
        assert!(check("a/{{TABLE}}", stale).contains("put {{UNIT}} in"));
        assert!(check("a/{{TABLE}}/{{UNIT}}/{{UUID}}", stale).contains("{{UUID}} is another one in each sync"));
        assert!(check("a/{{TABLE}}/{{UNIT}}/{{DAY}}", stale).contains("{{DAY}} is another one"));
        assert!(
            check("a/{{TABLE}}/{{UNIT}}", WriteMode::Append).contains("put {{UUID}} in, or {{SYNC_ID}} and {{UNIT}}")
        );
        assert!(check("a/{{TABLE}}/{{SYNC_ID}}", WriteMode::Append).contains("put {{UUID}} in"));
        assert!(check("a/{{TABLE}}-{{UNIT}}", stale).contains("put a / or a . between"));
        assert!(check("a/{{TABLE}}{{SYNC_ID}}{{UNIT}}", WriteMode::Append).contains("put a / or a . between"));
        let overwrite = check("a", WriteMode::Overwrite);
        assert!(overwrite.contains("overwrite-delete-stale") && overwrite.contains("append"), "{overwrite}");
    }
}
