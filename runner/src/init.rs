//! `headwater init`: a configuration to start from, with its choices as comments.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The file that is written where none is named.
pub const DEFAULT_FILE: &str = "headwater.yaml";

/// The text before the source's own part.
const HEAD: &str = "\
# A configuration of Headwater: what is read, and where it goes.
# Keys are those of CloudQuery. ${NAME} is an environment variable, ${file:path} is what a file holds.
# For completion in an editor: `headwater schema > headwater.schema.json`, and then this line without its first `# `:
# # yaml-language-server: $schema=./headwater.schema.json
";

/// The text after it.
const TAIL: &str = "\
---
kind: destination
spec:
  name: local
  path: sqlite
  # overwrite-delete-stale: rows replace those with the same key, and what is gone at the source is deleted.
  # overwrite: nothing is deleted. append: every sync adds its rows.
  write_mode: overwrite-delete-stale
  spec:
    # The database is made when it is not there yet.
    connection_string: headwater.db
# A second destination takes the same rows: put its name into `destinations` above as well.
# ---
# kind: destination
# spec:
#   name: warehouse
#   path: postgresql
#   spec:
#     connection_string: postgresql://headwater@localhost:5432/inventory
#     password: ${DATABASE_PASSWORD}
# ---
# kind: destination
# spec:
#   name: files
#   path: file
#   spec:
#     # A folder with a folder for each table. Formats: parquet, jsonl, csv.
#     path: data
#     format: parquet
# ---
# kind: destination
# spec:
#   name: lake
#   path: s3
#   spec:
#     # The credentials are those of the AWS command line. For MinIO and others: endpoint, access_key_id, secret_access_key.
#     bucket: my-lake
#     region: eu-west-1
#     path: inventory
#     format: parquet
";

const AWS: &str = "\
kind: source
spec:
  name: aws
  path: aws
  # Patterns with * are allowed: aws_ec2_*. `headwater tables aws` lists all tables.
  tables: [\"*\"]
  # skip_tables: [aws_ec2_images]
  # Tables that hang from another, such as a bucket's policy, come along only when this is false or they are named.
  skip_dependent_tables: false
  destinations: [local]
  # Without more said, the credentials are those of the AWS command line: environment, profile, SSO, instance role.
  spec:
    # All regions that are enabled in the account, unless some are named.
    # regions: [eu-west-1, us-east-1]
    # Several accounts, each by a profile or a role.
    # accounts:
    #   - id: production
    #     local_profile: production
    #   - id: audit
    #     role_arn: arn:aws:iam::123456789012:role/audit
    #     external_id: ${AUDIT_EXTERNAL_ID}
    # Instead of `accounts`, all of an organization, by a role that each has: org: {member_role_name: audit}.
    # Calls under way at once, and calls per second where the API's own limit is not to be used up.
    # concurrency: 256
    # limits: {\"ec2:Describe*\": 20}
    # max_retries: 10
    # An API that is not Amazon's own, such as a test server.
    # custom_endpoint_url: http://127.0.0.1:5000
";

const XKCD: &str = "\
kind: source
spec:
  name: xkcd
  path: xkcd
  # `headwater tables xkcd` lists all tables.
  tables: [\"*\"]
  destinations: [local]
";

/// The sources for which there is a configuration to start from.
const SOURCES: [(&str, &str); 2] = [("aws", AWS), ("xkcd", XKCD)];

/// The names of the sources for which there is a configuration to start from.
pub fn sources() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// The configuration to start from.
pub fn text(source: &str) -> Option<String> {
    let (_, text) = SOURCES.iter().find(|(name, _)| *name == source)?;
    Some(format!("{HEAD}{text}{TAIL}"))
}

/// Writes the configuration for a source to a file that must not be there yet.
pub fn init(source: &str, file: &Path) -> Result<()> {
    let Some(text) = text(source) else {
        bail!(
            "there is no configuration to start from for `{source}`, only for {}",
            sources().collect::<Vec<_>>().join(", ")
        );
    };
    let shown = file.display();
    let mut opened = match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is there already and was left as it is; name another file: headwater init {source} FILE")
        }
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be written")),
    };
    opened.write_all(text.as_bytes()).with_context(|| format!("{shown} cannot be written"))
}
