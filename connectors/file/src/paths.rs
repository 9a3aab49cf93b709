//! Files that fit a pattern: names with `*`, folders of any depth with `**`, and the table's name in `{{TABLE}}`.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::format::Kind;

/// A file that fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// The table that the pattern tells.
    pub table: Option<String>,
    /// The file.
    pub path: PathBuf,
}

/// One step of a pattern.
#[derive(Debug, Clone)]
enum Step {
    /// A name as it is.
    Name(String),
    /// A name with `*`, `?` or `[…]`.
    Glob(Pattern),
    /// A name with the table's name between what these fit.
    Table(Pattern, Pattern),
    /// Folders of any depth.
    Deep,
}

/// A pattern of files' names.
#[derive(Debug, Clone)]
pub struct Files {
    written: String,
    base: PathBuf,
    steps: Vec<Step>,
}

/// What begins with a dot is hidden, and readers of folders leave out what begins with `_`.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
const TABLE: [&str; 2] = ["{{TABLE}}", "{{TABLE_HYPHEN}}"];

/// What placeholders stand for, but that of the table.
fn without_placeholders(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { return Err("has a {{ without its }}".to_owned()) };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return Err(format!("has the unknown placeholder {{{{{name}}}}}"));
        }
        out.push_str(before);
        out.push('*');
        rest = after;
    }
    out.push_str(rest);
    // Two stars would be folders of any depth.
    while out.contains("**") {
        out = out.replace("**", "*");
    }
    Ok(out)
}

impl Step {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "**" {
            return Ok(Self::Deep);
        }
        let pattern = |text: &str| {
            let text = without_placeholders(text)?;
            Pattern::new(&text).map_err(|error| format!("is no pattern: {error}"))
        };
        if let Some((before, after)) = TABLE.iter().find_map(|table| text.split_once(table)) {
            if TABLE.iter().any(|table| after.contains(table)) {
                return Err("has the table's name twice".to_owned());
            }
            return Ok(Self::Table(pattern(before)?, pattern(after)?));
        }
        if text.contains(['*', '?', '[']) || text.contains("{{") {
            return pattern(text).map(Self::Glob);
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// With what the names must begin that it fits.
    fn start(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Glob(pattern) | Self::Table(pattern, _) => pattern.as_str(),
            Self::Deep => "",
        }
    }

    /// Whether a name fits, and which table it tells.
    fn fits(&self, name: &str) -> Option<Option<String>> {
        if name.starts_with(['.', '_']) && !name.starts_with(self.start().split(['*', '?', '[']).next()?.get(..1)?) {
            return None;
        }
        match self {
            Self::Name(own) => (own == name).then_some(None),
            Self::Glob(pattern) => pattern.matches_with(name, OPTIONS).then_some(None),
            Self::Table(before, after) => {
                let places: Vec<usize> = (0..=name.len()).filter(|at| name.is_char_boundary(*at)).collect();
                let found = places.iter().enumerate().find_map(|(index, from)| {
                    let ends = places[index..].iter().skip(1);
                    let fits = |until: &&usize| after.matches_with(&name[**until..], OPTIONS);
                    before.matches_with(&name[..*from], OPTIONS).then_some(())?;
                    Some(name[*from..*ends.clone().find(fits)?].to_owned())
                });
                found.map(Some)
            }
            Self::Deep => Some(None),
        }
    }
}

impl Files {
    /// Reads a pattern; a file or a folder that is there under this very name is meant itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("`{text}` {why}");
        if text.trim().is_empty() || text.contains('\0') {
            return Err("a path must name a file, a folder or a pattern".to_owned());
        }
        let mut base = PathBuf::new();
        let mut steps = Vec::new();
        if Path::new(text).exists() {
            let path = Path::new(text);
            let file = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
            match file {
                Some(name) => {
                    base.push(path.parent().unwrap_or(Path::new("")));
                    steps.push(Step::Name(name.to_owned()));
                }
                None => base.push(path),
            }
            return Ok(Self { written: text.to_owned(), base, steps });
        }
        for part in Path::new(text).components() {
            match part {
                Component::Normal(name) => {
                    let name = name.to_str().ok_or_else(|| wrong("is not UTF-8".to_owned()))?;
                    match Step::parse(name).map_err(wrong)? {
                        Step::Name(name) if steps.is_empty() => base.push(name),
                        step => steps.push(step),
                    }
                }
                other => base.push(other),
            }
        }
        let tables = steps.iter().filter(|step| matches!(step, Step::Table(..))).count();
        if tables > 1 {
            return Err(wrong("has the table's name twice".to_owned()));
        }
        Ok(Self { written: text.to_owned(), base, steps })
    }

    /// A pattern of tables: a folder has one in each folder and in each file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_tables(text: &str) -> Result<Vec<Self>, String> {
        let files = Self::parse(text)?;
        if files.tells_tables() {
            return Ok(vec![files]);
        }
        if !files.steps.is_empty() {
            return Err(format!("`{text}` does not tell the tables' names; put {{{{TABLE}}}} in, or say `tables`"));
        }
        let any = || Step::parse(TABLE[0]);
        let below = Self { steps: vec![any()?, Step::Deep], ..files.clone() };
        let beside = Self { steps: vec![Step::parse("{{TABLE}}.*")?], ..files };
        Ok(vec![below, beside])
    }

    /// Whether it tells the tables' names.
    pub fn tells_tables(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Table(..)))
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The folder that all its files are in.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// All files that fit, by name. Of a folder they are those whose names tell a format, unless `any` are meant.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn find(&self, any: bool) -> io::Result<Vec<Fit>> {
        let mut found = Vec::new();
        walk(&self.base, &self.steps, None, any, &mut found)?;
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn walk(path: &Path, steps: &[Step], table: Option<&str>, any: bool, found: &mut Vec<Fit>) -> io::Result<()> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let Some((step, rest)) = steps.split_first() else {
        if path.is_dir() {
            return walk(path, &[Step::Deep], table, any, found);
        }
        found.push(Fit { table: table.map(str::to_owned), path: path.to_owned() });
        return Ok(());
    };
    if let Step::Name(name) = step {
        let path = path.join(name);
        return if path.exists() { walk(&path, rest, table, any, found) } else { Ok(()) };
    }
    let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(about(error)),
    };
    if matches!(step, Step::Deep) && !rest.is_empty() {
        walk(path, rest, table, any, found)?;
    }
    for entry in entries {
        let entry = entry.map_err(about)?;
        let (path, name) = (path.join(entry.file_name()), entry.file_name());
        let name = match name.to_str() {
            Some(name) => name,
            None if name.as_encoded_bytes().starts_with(b".") => continue,
            None => {
                let why = format!("the name {name:?} is not UTF-8; rename it");
                return Err(about(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
        };
        let Some(told) = step.fits(name) else { continue };
        let table = told.as_deref().or(table);
        // Not through links where any depth is meant, because they may lead back.
        let is_folder = match step {
            Step::Deep => entry.file_type().map_err(about)?.is_dir(),
            _ => path.is_dir(),
        };
        match step {
            Step::Deep if is_folder => walk(&path, steps, table, any, found)?,
            _ if is_folder && !rest.is_empty() => walk(&path, rest, table, any, found)?,
            Step::Table(..) if is_folder => walk(&path, &[Step::Deep], table, any, found)?,
            _ if is_folder || !rest.is_empty() || !path.is_file() => {}
            Step::Deep | Step::Table(..) if !any && Kind::of_name(name).is_none() => {}
            _ => found.push(Fit { table: table.map(str::to_owned), path }),
        }
    }
    Ok(())
}

/// The folder that all of them are in.
pub fn common<'a>(bases: impl IntoIterator<Item = &'a Path>) -> PathBuf {
    let mut bases = bases.into_iter();
    let Some(first) = bases.next() else { return PathBuf::new() };
    bases.fold(first.to_owned(), |common, base| {
        let same = common.components().zip(base.components()).take_while(|(a, b)| a == b);
        same.map(|(step, _)| step).collect()
    })
}

/// What a file is called below a folder, the same on every system.
pub fn below(base: &Path, path: &Path) -> String {
    let path = path.strip_prefix(base).unwrap_or(path);
    let steps: Vec<_> = path.components().filter(|step| *step != Component::CurDir).collect();
    steps.iter().map(|step| step.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The values that the names of folders have: `year=2026`.
pub fn partitions(unit: &str) -> Vec<(String, Option<String>)> {
    let (folders, _) = unit.rsplit_once('/').unwrap_or_default();
    let pairs = folders.split('/').filter_map(|folder| folder.split_once('=')).filter(|(name, _)| !name.is_empty());
    pairs
        .map(|(name, value)| {
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
            (name.to_owned(), Some(value).filter(|value| value != "__HIVE_DEFAULT_PARTITION__"))
        })
        .collect()
}
