//! Every kind of mistake in a configuration, and what is said about it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use headwater::config::{self, Configuration};

const GOOD_SOURCE: &str = "\
kind: source
spec:
  name: town
  path: shops
  tables: [\"*\"]
  destinations: [local]
  spec:
    root: shops
";

const GOOD_DESTINATION: &str = "\
kind: destination
spec:
  name: local
  path: sqlite
  spec:
    connection_string: out.db
";

/// Loads files by name and text; environment variables are given as well.
fn load_files(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    load_paths(&paths, folder.path(), variables)
}

fn load_paths(paths: &[PathBuf], folder: &Path, variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let look_up = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let place = format!("{}/", folder.display());
    config::load(paths, &common::registry(), &look_up).map_err(|found| {
        for diagnostic in &found.0 {
            let text = diagnostic.to_string();
            assert!(text.lines().count() <= 8, "more than eight lines:\n{text}");
        }
        found.to_string().replace(&place, "")
    })
}

fn problems(text: &str) -> String {
    problems_with(text, &[])
}

fn problems_with(text: &str, variables: &[(&str, &str)]) -> String {
    load_files(&[("sync.yaml", text)], variables).err().expect("there is a mistake")
}

/// A source with `from` replaced, and a good destination.
fn source_with(from: &str, to: &str) -> String {
    assert!(GOOD_SOURCE.contains(from));
    format!("{}---\n{GOOD_DESTINATION}", GOOD_SOURCE.replacen(from, to, 1))
}

/// A good source, and a destination with `from` replaced.
fn destination_with(from: &str, to: &str) -> String {
    assert!(GOOD_DESTINATION.contains(from));
    format!("{GOOD_SOURCE}---\n{}", GOOD_DESTINATION.replacen(from, to, 1))
}

#[test]
fn a_good_configuration_with_cloudquerys_keys() {
    let text = "\
kind: source
spec:
  name: town
  path: cloudquery/shops
  registry: cloudquery
  version: v33.0.0
  tables: [shop_*]
  skip_tables:
    - shop_visits
  skip_dependent_tables: false
  deterministic_cq_id: true
  destinations:
    - local
  spec: {root: '${ROOT}', concurrency: '${N}', contacts: [{name: 12, by: post}]}
---
# An empty document is none.
---
kind: destination
spec:
  name: local
  path: headwater/sqlite
  registry: cloudquery
  version: v2.4.15
  write_mode: append
  migrate_mode: forced
  pk_mode: default
  send_sync_summary: false
  transformers: []
  spec: {connection_string: \"${ROOT}.db\"}
";
    let configuration = load_files(&[("a.yml", text)], &[("ROOT", "shops"), ("N", "7")]).expect("it is good");
    let source = &configuration.sources[0];
    assert_eq!(source.spec.tables, ["shop_*"]);
    assert!(!source.spec.skip_dependent_tables);
    assert_eq!(source.connector.limits().concurrency, 7, "the number comes from a quoted variable");
    assert_eq!(configuration.destinations[0].spec.write_mode.as_str(), "append");
}

#[test]
fn files_of_windows_editors() {
    let text = format!("\u{feff}{GOOD_SOURCE}---\n{GOOD_DESTINATION}").replace('\n', "\r\n");
    assert!(load_files(&[("a.yml", &text)], &[]).is_ok());
    let found = load_files(&[("a.yml", &text.replace("tables", "tabels"))], &[]).err().expect("there is a mistake");
    assert!(
        found.starts_with("error: a.yml:5:3: unknown key `tabels`\n  |\n5 |   tabels: [***]\n  |   ^^^^^^\n"),
        "{found}"
    );
}

#[test]
fn defaults_are_cloudquerys() {
    let text = format!("{GOOD_SOURCE}---\n{GOOD_DESTINATION}");
    let configuration = load_files(&[("a.yml", &text)], &[]).expect("it is good");
    assert!(configuration.sources[0].spec.skip_dependent_tables);
    assert_eq!(configuration.destinations[0].spec.write_mode.as_str(), "overwrite-delete-stale");
}

#[test]
fn a_folder_is_all_its_visible_yaml_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("b.yaml", GOOD_DESTINATION);
    write("a.yml", GOOD_SOURCE);
    write(".hidden.yaml", "not: [good");
    write("notes.txt", "not: [good");
    let paths = [folder.path().to_owned()];
    let configuration = load_paths(&paths, folder.path(), &[]).expect("it is good");
    let names: Vec<&str> = configuration.files.iter().map(|file| file.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["a.yml", "b.yaml"]);
}

#[test]
fn misspelt_keys_at_every_level() {
    let text = "\
kimd: source
kind: source
spec:
  name: town
  path: shops
  tabels: [\"*\"]
  tables: [\"*\"]
  destinatons: [local]
  destinations: [local]
  spec:
    root: shops
    concurency: 4
    contacts:
      - {name: a, by: post, phone: 1}
      - {nam: a, name: b, by: post}
---
kind: destination
spec:
  name: local
  path: sqlite
  writemode: append
  spec:
    connection: out.db
    connection_string: out.db
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn a_misspelt_table() {
    insta::assert_snapshot!(problems(&source_with("[\"*\"]", "[shop_order, shop_*, shop_custommers]")));
}

#[test]
fn patterns_that_fit_nothing() {
    insta::assert_snapshot!(problems(&source_with(
        "[\"*\"]",
        "\n    - shop_*\n    - aws_*\n  skip_tables:\n    - shop_visit\n    - nothing"
    )));
}

#[test]
fn nothing_left_to_read() {
    insta::assert_snapshot!(problems(&source_with("[\"*\"]", "[shop_visits]\n  skip_tables: [\"*\"]")));
}

#[test]
fn a_misspelt_destination() {
    insta::assert_snapshot!(problems(&source_with("[local]", "[locl, local, local]")));
}

#[test]
fn misspelt_paths() {
    insta::assert_snapshot!(problems(&format!(
        "{}---\n{}",
        GOOD_SOURCE.replace("path: shops", "path: cloudquery/shop"),
        GOOD_DESTINATION.replace("path: sqlite", "path: cloudquery/snowflake")
    )));
}

#[test]
fn a_destination_as_a_source() {
    // Which sources there are is a matter of the build's features.
    let problems = problems(&source_with("path: shops", "path: sqlite")).replace("source: aws, ", "source: ");
    insta::assert_snapshot!(problems);
}

#[test]
fn plugins() {
    let text = GOOD_SOURCE.replace("path: shops", "path: localhost:7777\n  registry: grpc");
    let destination = GOOD_DESTINATION.replace("path: sqlite", "path: ./plugin\n  registry: local");
    insta::assert_snapshot!(problems(&format!("{text}---\n{destination}")));
}

#[test]
fn a_misspelt_registry() {
    insta::assert_snapshot!(problems(&source_with("path: shops", "path: shops\n  registry: cloudqery")));
}

#[test]
fn kinds() {
    let text = format!(
        "kind: sorce\nspec: {{}}\n---\nkind: transformer\nspec: {{}}\n---\nspec: {{}}\n---\n[a, b]\n---\nkind: source\n---\nkind: [source]\n---\n{GOOD_DESTINATION}"
    );
    insta::assert_snapshot!(problems(&text));
}

#[test]
fn write_modes() {
    insta::assert_snapshot!(problems(&destination_with(
        "  spec:",
        "  write_mode: overwrite-delete-stal\n  migrate_mode: force\n  spec:"
    )));
}

#[test]
fn a_missing_variable() {
    let text = source_with("root: shops", "root: \"/data/${SHOPS}/${PLACE} ${SHOPS}\"\n    token: ${TOKEN}");
    insta::assert_snapshot!(problems_with(&text, &[("PLACE", "town")]));
}

#[test]
fn a_missing_file() {
    let text = source_with("root: shops", "root: ${file:/nowhere/at/all}\n    token: ${time:now}");
    insta::assert_snapshot!(problems(&text));
}

#[test]
fn references_that_are_none() {
    let text = source_with("root: shops", "root: ${SHOPS\n    token: ${a b}\n    concurrency: ${}");
    insta::assert_snapshot!(problems(&text));
}

#[test]
fn a_reference_within_brackets() {
    insta::assert_snapshot!(problems(&source_with("[local]", "[${LOCAL}]")));
}

#[test]
fn names_that_come_twice() {
    let text = format!("{GOOD_SOURCE}---\n{GOOD_DESTINATION}---\n{GOOD_DESTINATION}");
    let found = load_files(&[("a.yaml", &text), ("b.yaml", GOOD_SOURCE)], &[]).err().expect("there is a mistake");
    insta::assert_snapshot!(found);
}

#[test]
fn wrong_types() {
    let text = "\
kind: source
spec:
  name: [town]
  path: shops
  tables: shop_orders
  skip_dependent_tables: yes
  destinations: {local: true}
  spec:
    root: shops
    concurrency: 300
    token: -1
    contacts:
      - name: a
        by: pigeon
      - text
---
kind: destination
spec:
  name: local
  path: sqlite
  write_mode: 3
  spec: out.db
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn missing_keys() {
    insta::assert_snapshot!(problems("kind: source\nspec:\n---\nkind: destination\nspec:\n  path: sqlite\n"));
}

#[test]
fn empty_lists() {
    insta::assert_snapshot!(problems(&source_with(
        "tables: [\"*\"]\n  destinations: [local]",
        "tables: []\n  destinations:"
    )));
}

#[test]
fn a_spec_that_the_built_in_refuses() {
    insta::assert_snapshot!(problems(&source_with("root: shops", "root: shops\n    concurrency: 0")));
    // Its own words may not tell a secret either.
    let text = destination_with("connection_string: out.db", "connection_string: \"${WHERE}\"");
    let found = problems_with(&text, &[("WHERE", "file:s3cret.db?mode=ro")]);
    assert!(found.contains("sync.yaml:15:5: ") && !found.contains("s3cret"), "{found}");
}

#[test]
fn a_write_mode_that_the_destination_cannot_do() {
    let spec = "path: file\n  spec:\n    path: out/{{TABLE}}/{{UUID}}.parquet\n    format: parquet\n";
    let (head, _) = GOOD_DESTINATION.split_once("path:").unwrap();
    insta::assert_snapshot!(problems(&format!("{GOOD_SOURCE}---\n{head}{spec}")));
}

#[test]
fn tabs() {
    insta::assert_snapshot!(problems("kind: source\nspec:\n\tname: town\n"));
}

#[test]
fn syntax_errors() {
    insta::assert_snapshot!(problems("kind: source\nspec:\n  tables: [a, b\n  name: town\n"));
}

#[test]
fn a_key_twice() {
    insta::assert_snapshot!(problems(&source_with("  name: town", "  name: town\n  name: city")));
}

#[test]
fn empty_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> =
        ["empty.yaml", "comments.yaml", "missing.yaml", "folder"].map(|name| folder.path().join(name)).into();
    std::fs::write(&paths[0], "").unwrap();
    std::fs::write(&paths[1], "# Nothing yet.\n---\n").unwrap();
    std::fs::create_dir(&paths[3]).unwrap();
    insta::assert_snapshot!(load_paths(&paths, folder.path(), &[]).err().expect("there is a mistake"));
}

#[test]
fn two_tables_of_one_name() {
    let other = GOOD_SOURCE.replace("name: town", "name: city").replace("path: shops", "path: other-shops");
    insta::assert_snapshot!(problems(&format!("{GOOD_SOURCE}---\n{other}---\n{GOOD_DESTINATION}")));
}

#[test]
fn no_source_or_no_destination() {
    insta::assert_snapshot!("no_destination", problems(GOOD_SOURCE));
    insta::assert_snapshot!("no_source", problems(GOOD_DESTINATION));
}

#[test]
fn keys_that_are_not_supported_yet() {
    let text = "\
kind: source
spec:
  name: town
  path: shops
  tables: [\"*\"]
  destinations: [local]
  backend_options:
    table_name: state
    connection: \"@@plugins.local.connection\"
  otel_endpoint: localhost:4317
  concurrency: 100
  spec:
    root: shops
---
kind: destination
spec:
  name: local
  path: sqlite
  pk_mode: cq-id-only
  sync_group_id: \"{{YEAR}}\"
  send_sync_summary: true
  transformers: [basic]
  spec:
    connection_string: out.db
";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn secrets_are_not_told() {
    let text = "\
kind: source
spec:
  name: town
  path: shops
  tables: [\"*\"]
  destinations: [local]
  spec:
    root: shops
    token: ${TOKEN}
    concurrency: \"${MANY}\"
    contacts: [{name: a, by: \"${HOW}\", password: hunter2hunter2}]
---
kind: destination
spec: {name: local, path: sqlite, write_mode: \"${MODE}\", api_key: hunter3hunter3, url: 'postgres://a:hunter4@b/c'}
";
    let secrets = [("TOKEN", "s3cret-one"), ("MANY", "s3cret-two"), ("HOW", "s3cret-three"), ("MODE", "s3cret-four")];
    let found = problems_with(text, &secrets);
    assert!(!found.contains("s3cret") && !found.contains("hunter"), "{found}");
    insta::assert_snapshot!(found);
}

/// A misspelt key is no key that is known to hold a secret, and its value is one all the same.
#[test]
fn secrets_behind_misspelt_keys_are_not_told() {
    let text = "\
kind: source
spec:
  name: town
  path: shops
  tables: [\"*\"]
  destinations: [local]
  hashKey: 5d9c68c6c50ed3d0
  sekret: [hunter2]
  spec: {root: \"${NOWHERE}\", pasword: hunter2, roots: {a: hunter2, b: \"${B}\"}, concurrency: many}
---
kind: destination
spec:
  name: local
  path: sqlite
  pasword: |
    hunter2
  spec: {conection: \"host=db password=hunter2\", batch_size: postgres://me:hun/ter2@db/x}
---
kind: destination
pass: hunter2
spec: {name: more, path: \"host=db password = hunter2\"}
";
    let found = problems_with(text, &[("B", "x")]);
    assert!(!found.contains("hun") && !found.contains("5d9c"), "{found}");
    insta::assert_snapshot!(found);
    let found = problems("kind: source\nspec: {url: host=db password=hunter2, [}\n");
    assert!(!found.contains("hunter"), "{found}");
}

#[test]
fn secrets_in_what_is_no_yaml_are_not_told() {
    let found = problems("kind: source\nspec: {password: hunter2hunter2, [}\n");
    assert!(!found.contains("hunter"), "{found}");
    insta::assert_snapshot!(found);
}

#[test]
fn a_value_cannot_become_a_key() {
    // In CloudQuery, which replaces in the text, this value would add a key and a document.
    let value = "shops\n    concurrency: 1\n---\nkind: destination\nspec: {name: evil}";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.txt");
    std::fs::write(&file, format!("{value}\n")).unwrap();
    let texts = [
        source_with("root: shops", "root: ${ROOT}"),
        source_with("root: shops", "root: \"${ROOT}\""),
        source_with("root: shops", "root: '${ROOT}'"),
        source_with("root: shops", "root: |-\n      ${ROOT}"),
        source_with("root: shops", &format!("root: ${{file:{}}}", file.display())),
    ];
    for text in texts {
        let configuration = load_files(&[("a.yaml", &text)], &[("ROOT", value)]).expect("it is good");
        assert_eq!(configuration.sources.len() + configuration.destinations.len(), 2);
        assert_eq!(configuration.sources[0].connector.limits().concurrency, 4, "the default:\n{text}");
    }
}

#[test]
fn rejected_rows() {
    let with = |rejected: &str| {
        format!(
            "kind: source\nspec: {{name: town, path: shops, tables: [\"*\"], destinations: [local], spec: {{root: shops}}}}\n\
             ---\nkind: destination\nspec:\n  name: local\n  path: sqlite\n  rejected_rows: {rejected}\n  \
             spec: {{connection_string: a.db}}\n"
        )
    };
    let wrong = [
        "{most: 3}",
        "{to: table, path: aside}",
        "{to: file}",
        "{to: tabel}",
        "{to: file, path: \"{{NOTHING}}\"}",
        "{too: table}",
    ];
    insta::assert_snapshot!(wrong.map(|wrong| problems(&with(wrong))).join("\n"));
}

/// A source with more lines in its `spec`, and a good destination.
fn source_and(more: &str) -> String {
    let more = more.replace('\n', "\n  ");
    source_with(
        "  destinations: [local]",
        &format!("  skip_dependent_tables: false\n  destinations: [local]\n  {more}"),
    )
}

#[test]
fn rules_of_columns() {
    let text = source_and(
        "\
columns:
- tables: [shop_costumers, \"aws_*\", shop_orders]
  exclude: [inof, \"x*\", name.first, \"*\"]
- select: []
  redact: [id, shop, _cq_id, \"i*\", info.ntoe, name.first, \"info[x]\", \"info.\"]
  keep: [name, nmae, info.note]
  hash: [shop, _cq_id]
- tables: []
  rename: {shop: a}
- tables: [shop_customers]
- tables: [shop_customers]
  rename: {name: info, id: ID2, shop: place, _cq_id: x, naem: y, info: _cq_info}
- tables: [shop_customers]
  rename: {name: NAME, id: other}
  redact: [info.card]
  keep: [info.card]
  obfuscate: [name]",
    );
    insta::assert_snapshot!("rules_with_an_unknown_key", problems(&text));
    insta::assert_snapshot!(problems(&text.replace("  obfuscate: [name]\n", "\n")));
}

#[test]
fn names_that_columns_would_share() {
    insta::assert_snapshot!(problems(&source_and(
        "columns:\n- {tables: [shop_customers], rename: {name: info}}\n\
         - {tables: [shop_orders], rename: {name: Info}}\n- {tables: [shop_visits], rename: {name: x, info: x}}\n\
         - {tables: [shop_order_lines], rename: {name: info, info: name}}"
    )));
}

#[test]
fn hashes_need_a_key() {
    insta::assert_snapshot!("a_hash_without_a_key", problems(&source_and("columns: [{hash: [name]}]")));
    let short = source_and("columns: [{hash: [name]}]\nhash_key: hunter2hunter2x");
    let found = problems(&short);
    assert!(!found.contains("hunter2"), "{found}");
    insta::assert_snapshot!("a_hash_with_a_short_key", found);
    let good = source_and("columns: [{hash: [name]}]\nhash_key: ${KEY}");
    let loaded = load_files(&[("a.yaml", &good)], &[("KEY", "0123456789abcdef")]).expect("it is good");
    assert!(!format!("{:?}", loaded.sources[0].spec).contains("0123456789"), "a key is not shown");
}

#[test]
fn filters_of_rows() {
    insta::assert_snapshot!(problems(&source_and(
        "\
rows:
- where: id = 'one'
- tables: [shop_customers]
  where: \"nmae = 'Ann'\"
- {tables: [shop_customers], where: 'name = ''Ann'' andd id = 1'}
- tables: [shop_customers]
  where: >-
    id >= 1
    and info.ntoe = 'x'
- tables: [shop_nothing]
  where: id = 1
- where: \"name = 'Ann' x\"
- where: \"\\x69d = 1x\""
    )));
    let shapes = "rows:\n- tables: [shop_visits]\n- where: [id = 1]\n- {where: id = 1, colour: red}";
    insta::assert_snapshot!("filters_that_are_no_text", problems(&source_and(shapes)));
    let hidden = problems_with(&source_and("rows: [{where: \"name = '${SECRET}' x\"}]"), &[("SECRET", "hunter2")]);
    assert!(!hidden.contains("hunter2"), "{hidden}");
    insta::assert_snapshot!("a_filter_with_a_variable", hidden);
}

#[test]
fn rules_are_checked_beside_the_connectors_own_spec() {
    // The tables of this one are known also where its spec is wrong.
    let source = "kind: source\nspec:\n  name: comics\n  path: xkcd\n  tables: [\"*\"]\n  destinations: [local]\n  \
                  columns: [{exclude: [tilte]}]\n  spec: {rul: x}\n---\n";
    insta::assert_snapshot!(problems(&format!("{source}{GOOD_DESTINATION}")));
}

#[test]
fn two_sources_that_shape_a_table_in_two_ways() {
    let other = GOOD_SOURCE
        .replace("name: town", "name: city")
        .replace("  destinations", "  columns: [{tables: [shop_visits], exclude: [name]}]\n  destinations");
    insta::assert_snapshot!(problems(&format!("{GOOD_SOURCE}---\n{other}---\n{GOOD_DESTINATION}")));
}
