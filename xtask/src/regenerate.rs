//! `cargo xtask regenerate`: every generated file of the project, written or checked.
//!
//! It reads the annotated services and the source of the pinned client crates, and compiles neither, so that it works
//! while the connectors do not compile.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use headwater_codegen::service::{AnnotatedTable, Service};
use headwater_codegen::smithy::Client;
use headwater_codegen::source::CrateSource;
use headwater_codegen::transcribe::{HEADER, transcribe};
use syn::ext::IdentExt;

use crate::fidelity;

/// A package below `connectors/` with its tables.
pub struct Connector {
    /// The folder below `connectors/`, such as `aws/ec2`.
    pub id: String,
    /// The package's name.
    pub package: String,
    /// What its files say.
    pub service: Service,
}

/// The project as `cargo metadata` describes it.
pub struct Project {
    /// The workspace's folder.
    pub root: PathBuf,
    metadata: Metadata,
}

impl Project {
    /// Asks cargo; the lock file says which client crates are meant.
    pub fn open() -> Result<Self> {
        Self::open_at(&crate::root::root())
    }

    /// Asks cargo about the workspace in a folder.
    pub fn open_at(root: &Path) -> Result<Self> {
        let manifest = root.join("Cargo.toml");
        let options = ["--locked".to_owned()];
        let metadata = MetadataCommand::new().manifest_path(manifest).other_options(options).exec();
        let metadata = metadata.context("cargo metadata --locked failed; is Cargo.lock committed and up to date?")?;
        Ok(Self { root: metadata.workspace_root.clone().into_std_path_buf(), metadata })
    }

    /// The packages below `connectors/` that have tables, by id.
    pub fn connectors(&self) -> Result<Vec<Connector>> {
        let base = self.root.join("connectors");
        let mut all = Vec::new();
        for package in self.metadata.workspace_packages() {
            let Some(folder) = package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned()) else {
                continue;
            };
            let Ok(id) = folder.strip_prefix(&base) else { continue };
            let service = Service::read(&folder.join("src"))?;
            // What is called `Client` elsewhere is not of an API.
            if !service.tables.is_empty() {
                let id = id.to_string_lossy().replace('\\', "/");
                all.push(Connector { id, package: package.name.to_string(), service });
            }
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    fn client(&self, name: &str) -> Result<Client> {
        let crate_name = name.replace('_', "-");
        let found: Option<&Package> = self.metadata.packages.iter().find(|package| package.name.as_str() == crate_name);
        let package = found.with_context(|| format!("no dependency is called {crate_name}; add it to Cargo.toml"))?;
        let library = package.targets.iter().find(|target| target.is_lib()).context("a client crate has a library")?;
        let root = library.src_path.parent().context("a library has a folder")?;
        Ok(Client::new(CrateSource::open(name, &package.version.to_string(), root.as_std_path())?))
    }

    /// Every generated file, by its path from the workspace's folder.
    pub fn outputs(&self) -> Result<BTreeMap<PathBuf, String>> {
        let connectors = self.connectors()?;
        let mut outputs = BTreeMap::new();
        let mut families: BTreeMap<&str, Vec<&Connector>> = BTreeMap::new();
        for connector in &connectors {
            let (family, id) = connector.id.split_once('/').unwrap_or((&connector.id, &connector.id));
            families.entry(family).or_default().push(connector);
            if let Some(client) = &connector.service.client {
                let text = transcribe(&self.client(client)?, &connector.service, id)
                    .with_context(|| format!("connectors/{}", connector.id))?;
                outputs.insert(Path::new("connectors").join(&connector.id).join("src/generated.rs"), text);
            }
        }
        if let Some(text) = fidelity::document(&self.root)? {
            outputs.insert(PathBuf::from("docs/type-fidelity.md"), text);
        }
        for (family, members) in families {
            outputs.insert(Path::new("docs/tables").join(format!("{family}.md")), table_list(family, &members));
            if members.iter().any(|member| member.id.contains('/')) {
                let path = Path::new("connectors").join(family).join("src/generated.rs");
                outputs.insert(path, service_list(family, &members));
            }
        }
        Ok(outputs)
    }

    /// Generated files that nothing generates any more.
    fn orphans(&self, outputs: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
        let mut orphans = Vec::new();
        let mut folders = vec![self.root.join("connectors"), self.root.join("docs/tables")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry?.path();
                let relative = path.strip_prefix(&self.root)?.to_owned();
                if path.is_dir() {
                    if path.file_name().is_none_or(|name| name != "target") {
                        folders.push(path);
                    }
                } else if !outputs.contains_key(&relative) {
                    let listed = relative.starts_with("docs/tables");
                    let generated = path.file_name().is_some_and(|name| name == "generated.rs");
                    if listed || generated {
                        orphans.push(relative);
                    }
                }
            }
        }
        orphans.sort();
        Ok(orphans)
    }
}

/// Writes every generated file, or checks that each is as it would be written.
pub fn run(check: bool) -> Result<()> {
    run_in(&Project::open()?, check)
}

/// The same for a workspace elsewhere.
pub fn run_in(project: &Project, check: bool) -> Result<()> {
    let outputs = project.outputs()?;
    let mut stale = Vec::new();
    for (path, text) in &outputs {
        let file = project.root.join(path);
        let present = std::fs::read_to_string(&file).ok();
        if present.as_deref() == Some(text) {
            continue;
        }
        let state = if present.is_some() { "is not what would be generated" } else { "is missing" };
        stale.push(format!("{} {state}", path.display()));
        if !check {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&file, text).with_context(|| path.display().to_string())?;
            eprintln!("wrote {}", path.display());
        }
    }
    for orphan in project.orphans(&outputs)? {
        stale.push(format!("{} is generated from nothing", orphan.display()));
        if !check {
            std::fs::remove_file(project.root.join(&orphan)).with_context(|| orphan.display().to_string())?;
            eprintln!("removed {}", orphan.display());
        }
    }
    if check && !stale.is_empty() {
        bail!("{}\nrun `cargo xtask regenerate` and commit what it writes", stale.join("\n"));
    }
    eprintln!("{} generated files are up to date", outputs.len());
    Ok(())
}

/// The services of a family, for its umbrella crate.
fn service_list(family: &str, members: &[&Connector]) -> String {
    let mut text =
        format!("{HEADER} the folders below connectors/{family}. Do not edit.\n//! The services of this build.\n\n");
    text.push_str("use headwater_aws_base::Service;\n\n/// The services whose features are on.\npub fn services() -> Vec<Service> {\n    vec![\n");
    for member in members.iter().filter(|member| member.service.client.is_some()) {
        let id = member.id.rsplit('/').next().unwrap_or_default();
        let _ = writeln!(
            text,
            "        #[cfg(feature = \"{id}\")]\n        {}::generated::service(),",
            member.package.replace('-', "_")
        );
    }
    text.push_str("    ]\n}\n");
    text
}

/// The list of a family's tables, for people.
fn table_list(family: &str, members: &[&Connector]) -> String {
    let count: usize = members.iter().map(|member| member.service.tables.len()).sum();
    let mut text = format!(
        "<!-- Generated by `cargo xtask regenerate` from the annotations in connectors/{family}. Do not edit. -->\n\n\
         # Tables of `{family}`: {count}\n\nColumns: `headwater tables --format markdown`.\n"
    );
    for member in members {
        let client = member.service.client.as_ref().map(|client| format!(" (`{}`)", client.replace('_', "-")));
        let _ = write!(
            text,
            "\n## {}{}\n\n| table | rows | key | hangs from |\n| --- | --- | --- | --- |\n",
            member.id,
            client.unwrap_or_default()
        );
        let mut tables: Vec<&AnnotatedTable> = member.service.tables.iter().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in &tables {
            let key: Vec<String> = table.attribute.key.iter().map(|key| key.unraw().to_string()).collect();
            let parent = table
                .attribute
                .parent
                .as_ref()
                .and_then(|parent| parent.segments.last())
                .map(|last| last.ident.to_string());
            let parent = parent
                .and_then(|ident| tables.iter().find(|other| other.ident == ident))
                .map(|parent| format!("`{}`", parent.name));
            let description = table.description.replace('|', "\\|");
            let _ = writeln!(
                text,
                "| `{}` | {description} | {} | {} |",
                table.name,
                key.join(", "),
                parent.unwrap_or_default()
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_up_to_date() {
        if let Err(error) = run(true) {
            panic!("{error:#}");
        }
    }

    #[test]
    fn generating_twice_gives_the_same() -> Result<()> {
        let project = Project::open()?;
        assert_eq!(project.outputs()?, project.outputs()?);
        Ok(())
    }
}
