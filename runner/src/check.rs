//! `headwater check`: whether the configuration is good and everything in it can be reached. Changes nothing.

use std::io::{self, Write};

use futures::future::{join, join_all};
use headwater_sdk::{Class, Result};

use crate::config::Configuration;
use crate::sync::panics::caught;
use crate::sync::quarantine::Quarantine;
use crate::text::plural;

/// Tries every connection, writes a line for each thing that was checked, and answers whether all is well.
pub async fn check(configuration: &Configuration, out: &mut dyn Write) -> io::Result<bool> {
    let tables: usize =
        configuration.sources.iter().flat_map(|source| &source.tables).map(|root| root.flatten().len()).sum();
    writeln!(
        out,
        "✓ configuration {}: {}, {}, {}",
        configuration.files.join(", "),
        plural(configuration.sources.len(), "source"),
        plural(configuration.destinations.len(), "destination"),
        plural(tables, "table"),
    )?;
    let sources = join_all(configuration.sources.iter().map(|source| async move {
        let lines: Result<Vec<String>> =
            caught(Class::Fatal, source.connector.check()).await.and_then(|checked| checked);
        (&source.spec.name, lines)
    }));
    let destinations = join_all(configuration.destinations.iter().map(|destination| async move {
        let checked: Result<()> = caught(Class::Destination, destination.target.check()).await.flatten();
        let files = destination.quarantine.as_ref().filter(|quarantine| !quarantine.in_table);
        let checked = match (checked, files) {
            (Ok(()), Some(files)) => {
                caught(Class::Destination, files.destination.check()).await.flatten().map_err(Quarantine::named)
            }
            (checked, _) => checked,
        };
        (&destination.spec.name, checked)
    }));
    let (sources, destinations) = join(sources, destinations).await;
    let mut well = true;
    for (name, checked) in sources {
        match checked {
            Ok(lines) if lines.is_empty() => writeln!(out, "✓ source {name}")?,
            Ok(lines) => {
                for line in lines {
                    writeln!(out, "✓ source {name}: {line}")?;
                }
            }
            Err(error) => {
                well = false;
                writeln!(out, "✗ source {name}: {error}")?;
            }
        }
    }
    for (name, checked) in destinations {
        match checked {
            Ok(()) => writeln!(out, "✓ destination {name}: can be written to")?,
            Err(error) => {
                well = false;
                writeln!(out, "✗ destination {name}: {error}")?;
            }
        }
    }
    Ok(well)
}
