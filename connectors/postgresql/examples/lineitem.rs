//! How fast a table is read: `lineitem load URL SCALE` fills TPC-H's `lineitem`, `lineitem read URL [library]` reads it over
//! one connection and throws it away; with `library`, the messages are `tokio-postgres`'s.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use headwater_postgresql_client::{Connector, Place};
use headwater_postgresql_source::catalog::columns;
use headwater_postgresql_source::copy::{Limits, Rows, select};
use headwater_postgresql_source::decode::Decoder;
use headwater_postgresql_source::types::{Mapped, Override, Rules, map};
use tpchgen::csv::LineItemCsv;
use tpchgen::generators::LineItemGenerator;

/// The one that the binary has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TABLE: &str = "CREATE TABLE lineitem (l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, \
    l_suppkey bigint NOT NULL, l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, \
    l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, \
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, \
    l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, \
    l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL)";

/// Seconds of processor time that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

async fn load(connector: &Connector, scale: f64) {
    let client = connector.connect().await.unwrap();
    client.batch_execute(&format!("DROP TABLE IF EXISTS lineitem; {TABLE}")).await.unwrap();
    let mut sink = pin!(client.copy_in("COPY lineitem FROM STDIN (FORMAT csv)").await.unwrap());
    let mut text = String::new();
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        writeln!(text, "{}", LineItemCsv::new(item)).unwrap();
        if text.len() > 64 << 10 {
            sink.send(Bytes::from(text.clone())).await.unwrap();
            text.clear();
        }
    }
    sink.send(Bytes::from(text.clone())).await.unwrap();
    println!("{} rows", sink.finish().await.unwrap());
    client.batch_execute("VACUUM (FREEZE, ANALYZE) lineitem").await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let connector =
        |url| Connector::new(Place { connection_string: url, ..Place::default() }.settings().unwrap()).unwrap();
    let (url, library) = match arguments[..] {
        ["load", url, scale] => return load(&connector(url), scale.parse().unwrap()).await,
        ["read", url] => (url, false),
        ["read", url, "library"] => (url, true),
        _ => panic!("load URL SCALE, or read URL [library]"),
    };
    let connector = connector(url);
    let client = connector.connect().await.unwrap();
    let relation: u32 = client.query_one("SELECT 'lineitem'::regclass::oid", &[]).await.unwrap().get(0);
    let columns = columns(&client, relation).await.unwrap();
    let mapped: Vec<Mapped> =
        columns.iter().map(|column| map(column, &Override::default(), &Rules::default()).unwrap()).collect();
    let query = format!("{} FROM lineitem", select(&mapped));
    let (began, used) = (Instant::now(), processor());
    let (mut rows, mut batches, mut bytes) = (0, 0, 0);
    if library {
        let mut decoder = Decoder::new(&mapped).unwrap();
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let mut stream = pin!(client.copy_out(&copy).await.unwrap());
        while let Some(piece) = stream.try_next().await.unwrap() {
            decoder.feed(&piece).unwrap();
            if decoder.rows() >= 65_536 {
                rows += decoder.rows();
                batches += 1;
                decoder.take().unwrap();
            }
        }
        rows += decoder.rows();
    } else {
        let mut wire = connector.connect_wire().await.unwrap();
        let limits = Limits { rows: 65_536, bytes: 16 << 20 };
        let mut copied = Rows::begin(&mut wire, &query, &mapped, limits).await.unwrap();
        while let Some((count, columns)) = copied.next().await.unwrap() {
            rows += count;
            batches += 1;
            bytes += columns.iter().map(|column| column.get_array_memory_size()).sum::<usize>();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{rows} rows in {seconds:.2} s: {:.0} rows/s, {:.2} s of processor, {batches} batches, {} MB of columns",
        rows as f64 / seconds,
        processor() - used,
        bytes >> 20
    );
}
