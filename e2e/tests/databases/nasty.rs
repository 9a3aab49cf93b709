//! Every type of PostgreSQL's, with its strangest values: the same in another database, and the same by way of Parquet.

use crate::support::Pair;

const TABLES: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE nasty (
        id int PRIMARY KEY, u uuid, i interval, n numeric, n2 numeric(10, 2), f real, f8 float8, d date, t timestamp,
        tz timestamptz, tm time, ttz timetz, a int[], ta text[], na numeric[], ip inet, net cidr, mac macaddr, m mood, p pair,
        pos positive, b bytea, j json, jb jsonb, r int4range, mo money, bt bit(3), vb varbit, x xml, c char(5), v varchar(7),
        gone int, "a ""strange"" nämé.x" text, made int GENERATED ALWAYS AS (id * 2) STORED
    );
    ALTER TABLE nasty DROP COLUMN gone;
    INSERT INTO nasty VALUES
        (1, gen_random_uuid(), '1 year 2 mons 3 days 04:05:06.789', 'NaN', 12.50, 'NaN', '-Infinity', 'infinity', '-infinity',
         'infinity', '24:00', '12:00+02', '{1,NULL,3}', '{}', '{NaN,1e50}', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03',
         'ok', ROW(1, 'x,y'), 7, '\x00ff', '{"a": 1,  "a":2}', '{"b":1}', '[1,5)', 12.34, '101', '1', '<a/>', 'ab', 'xyz', 'é'),
        (2, NULL, '-178000000 years', 1e100, NULL, -0.0, 5e-324, '4713-01-01 BC', '4713-01-01 00:00:00 BC',
         '294246-12-31 23:59:59.999999+00', '00:00', '00:00-15:59:59', NULL, '{"a,b",NULL,""}', '{}', '::1', '::/0', NULL,
         'sad', NULL, NULL, '', 'null', 'null', 'empty', '-92233720368547758.08', '000', '', NULL, '', '', '');
    INSERT INTO nasty (id) VALUES (3);
"#;

#[test]
fn the_nasty_table_is_equal_in_another_database_and_by_way_of_parquet() {
    let pair = Pair::new(TABLES);
    pair.in_database("CREATE SCHEMA back", true);
    let lake = pair.headwater.folder().join("lake");
    let copied =
        pair.configuration("", "overwrite-delete-stale").replace("destinations: [copy]", "destinations: [copy, lake]");
    let lake_yml =
        format!("---\nkind: destination\nspec: {{ name: lake, path: file, spec: {{ path: {} }} }}\n", lake.display());
    pair.sync(&(copied + &lake_yml));
    let back = format!(
        "kind: source\nspec:\n  name: lake\n  path: file\n  tables: [nasty]\n  destinations: [back]\n  spec: {{ path: {} }}\n---\n\
         kind: destination\nspec: {{ name: back, path: postgresql, spec: {{ connection_string: '${{TO}}', schema: back }} }}\n",
        lake.display()
    );
    pair.sync(&back);
    let columns = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
                   WHERE attrelid = 'nasty'::regclass AND attnum > 0 AND NOT attisdropped";
    let columns = pair.in_database(columns, false);
    // The bytes that the server sends of each value, which tell NaN from a text and one zero from another.
    let own_types = ["m", "p", "pos"];
    let same_types: Vec<&str> = columns.split(", ").filter(|name| !own_types.contains(name)).collect();
    let bytes =
        |table: &str| format!("SELECT md5(record_send(ROW({}))) FROM {table} ORDER BY id", same_types.join(", "));
    let texts = |table: &str| format!("SELECT ROW({columns})::text FROM {table} ORDER BY id");
    let (expected_bytes, expected) =
        (pair.in_database(&bytes("nasty"), false), pair.in_database(&texts("nasty"), false));
    assert_eq!(expected.lines().count(), 3);
    for table in ["nasty", "back.nasty"] {
        assert_eq!(pair.in_database(&texts(table), true), expected, "{table}");
        assert_eq!(pair.in_database(&bytes(table), true), expected_bytes, "{table}");
    }
}
