//! Rows that the server refuses, because of a constraint of the table say: they are looked for by halves, and put aside.

use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Rejects, Result, TableSchema};
use tokio_postgres::Client;

use crate::ddl::{order, publish, staged_key};
use crate::errors::of_a_row;
use crate::server::Server;

/// Why a transaction is given up.
pub enum Failed {
    /// The server's error.
    Server(tokio_postgres::Error),
    /// Another one, such as that more rows were refused than may be put aside.
    Other(Error),
}

impl Failed {
    /// The error, of writing rows.
    pub fn explain(self, server: &Server) -> Error {
        match self {
            Self::Server(error) => server.explain_rows(error),
            Self::Other(error) => error,
        }
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Moves the rows of a stage into the table, in the order in which they came as far as they have a key, and answers how
/// many they were. Those that are refused alone are removed from the stage.
pub async fn sift(client: &Client, table: &TableSchema, stage: &str, rejects: &Rejects) -> Result<u64, Failed> {
    // Numbers without gaps, so that rows can be named by ranges. What is checked at the end of a transaction otherwise is
    // checked at once, while it is known which row it is about.
    let by = order(table);
    let numbered = format!(
        "SET CONSTRAINTS ALL IMMEDIATE; CREATE TEMPORARY TABLE headwater_order ON COMMIT DROP AS \
         SELECT row_number() OVER (ORDER BY {by}) AS at, ctid AS row FROM {stage}; \
         CREATE UNIQUE INDEX ON pg_temp.headwater_order (at); ANALYZE pg_temp.headwater_order"
    );
    client.batch_execute(&numbered).await?;
    let count: i64 = client.query_one("SELECT count(*) FROM pg_temp.headwater_order", &[]).await?.get(0);
    let of_range = "ctid = ANY (ARRAY (SELECT row FROM pg_temp.headwater_order WHERE at BETWEEN $1 AND $2))";
    let move_range = publish(table, &format!("(SELECT ctid, * FROM {stage} WHERE {of_range}) AS s"));
    let (mut ranges, mut written) = (vec![(1, count)], 0);
    while let Some((first, last)) = ranges.pop().filter(|(first, last)| first <= last) {
        client.batch_execute("SAVEPOINT headwater_range").await?;
        let refused = match client.execute(&move_range, &[&first, &last]).await {
            Ok(moved) => {
                client.batch_execute("RELEASE SAVEPOINT headwater_range").await?;
                written += moved;
                continue;
            }
            Err(error) => error,
        };
        let Some(why) = of_a_row(&refused) else { return Err(refused.into()) };
        client.batch_execute("ROLLBACK TO SAVEPOINT headwater_range; RELEASE SAVEPOINT headwater_range").await?;
        if first < last {
            let half = first + (last - first) / 2;
            ranges.extend([(half + 1, last), (first, half)]);
            continue;
        }
        let names = table.columns.iter().enumerate();
        let names: Vec<String> = names.map(|(index, column)| format!("c{index} AS {}", quote(&column.name))).collect();
        let row = format!(
            "WITH gone AS (DELETE FROM {stage} WHERE {of_range} RETURNING {}) SELECT row_to_json(gone)::text FROM gone",
            names.join(", ")
        );
        let row: String = client.query_one(&row, &[&first, &last]).await?.get(0);
        rejects.add_text(row, why)?;
    }
    client.batch_execute("DROP TABLE pg_temp.headwater_order").await?;
    let key = staged_key(table);
    if !key.is_empty() {
        // Ranges count a row again for each of its duplicates.
        let sql = format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {stage}) AS s", key.join(", "));
        written = client.query_one(&sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
    }
    Ok(written)
}
