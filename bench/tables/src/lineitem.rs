//! TPC-H's lineitem in a PostgreSQL.

use std::io::{BufWriter, Write};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use headwater_e2e::LocalPostgresql;
use tpchgen::csv::LineItemCsv;
use tpchgen::generators::LineItemGenerator;

/// The columns as the benchmark declares them, money as `numeric(15,2)`.
const COLUMNS: &str = "l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
    l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, \
    l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, \
    l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL";

/// Makes and fills the table; answers how many rows it has.
pub fn load(server: &LocalPostgresql, table: &str, scale: f64) -> Result<u64> {
    // Without a log, which takes as much disk again and is not read.
    server.query(&format!("CREATE UNLOGGED TABLE {table} ({COLUMNS})"))?;
    let mut psql = server.psql("postgres");
    psql.args(["--command", &format!("COPY {table} FROM STDIN (FORMAT csv)")]);
    let mut copying = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("psql cannot be run")?;
    let mut rows = 0;
    {
        let mut text = BufWriter::with_capacity(1 << 20, copying.stdin.take().context("psql takes no input")?);
        for item in LineItemGenerator::new(scale, 1, 1).iter() {
            writeln!(text, "{}", LineItemCsv::new(item))?;
            rows += 1;
        }
        text.flush()?;
    }
    ensure!(copying.wait()?.success(), "the rows of {table} could not be loaded");
    // Whoever reads first would otherwise write what is known of each row.
    server.query(&format!("VACUUM (FREEZE, ANALYZE) {table}"))?;
    server.query("CHECKPOINT")?;
    Ok(rows)
}
