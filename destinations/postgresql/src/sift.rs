//! Rows that the server refuses, because of a constraint of the table say: they are looked for by halves, and put aside.

use headwater_sdk::sql::quote;
use headwater_sdk::{Error, Rejects, Result, TableSchema};
use tokio_postgres::Transaction;

use crate::ddl::{publish, staged_key};

/// Why a transaction is given up.
pub enum Failed {
    /// The server's error.
    Server(tokio_postgres::Error),
    /// More rows were refused than may be put aside.
    TooMany(Error),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// Moves the rows of a stage into the table, in their order, and answers how many they were. Those that are refused alone
/// are removed from the stage.
pub async fn sift(
    transaction: &Transaction<'_>,
    table: &TableSchema,
    stage: &str,
    rejects: &Rejects,
) -> Result<u64, Failed> {
    // The rows in their order, so that they can be named by ranges.
    let order = format!(
        "CREATE TEMPORARY TABLE headwater_order ON COMMIT DROP AS \
         SELECT row_number() OVER (ORDER BY ctid) AS n, ctid AS row FROM {stage}; \
         CREATE UNIQUE INDEX ON pg_temp.headwater_order (n); ANALYZE pg_temp.headwater_order"
    );
    transaction.batch_execute(&order).await?;
    let count: i64 = transaction.query_one("SELECT count(*) FROM pg_temp.headwater_order", &[]).await?.get(0);
    let of_range = "ctid = ANY (ARRAY (SELECT row FROM pg_temp.headwater_order WHERE n BETWEEN $1 AND $2))";
    let move_range = publish(table, &format!("(SELECT ctid, * FROM {stage} WHERE {of_range}) AS s"));
    let (mut ranges, mut written) = (vec![(1, count)], 0);
    while let Some((first, last)) = ranges.pop().filter(|(first, last)| first <= last) {
        transaction.batch_execute("SAVEPOINT headwater_range").await?;
        let refused = match transaction.execute(&move_range, &[&first, &last]).await {
            Ok(moved) => {
                transaction.batch_execute("RELEASE SAVEPOINT headwater_range").await?;
                written += moved;
                continue;
            }
            Err(error) => error,
        };
        let Some(why) = of_a_row(&refused) else { return Err(refused.into()) };
        transaction.batch_execute("ROLLBACK TO SAVEPOINT headwater_range; RELEASE SAVEPOINT headwater_range").await?;
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
        let row: String = transaction.query_one(&row, &[&first, &last]).await?.get(0);
        rejects.add_text(row, why).map_err(Failed::TooMany)?;
    }
    let key = staged_key(table);
    if !key.is_empty() {
        // Ranges count a row again for each of its duplicates.
        let sql = format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {stage}) AS s", key.join(", "));
        written = transaction.query_one(&sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
    }
    Ok(written)
}

/// What an error says that is about single rows: of the classes 22 (data exception) and 23 (integrity constraint
/// violation).
fn of_a_row(error: &tokio_postgres::Error) -> Option<String> {
    let error = error.as_db_error()?;
    let code = error.code().code();
    (code.starts_with("22") || code.starts_with("23")).then(|| format!("{code}: {}", error.message()))
}
