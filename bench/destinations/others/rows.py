"""Writes rows of ten mixed columns as Parquet and as CSV: python rows.py ROWS FOLDER"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

rows, folder = int(sys.argv[1]), sys.argv[2]
random = np.random.default_rng(7)
table = pa.table(
    {
        "id": pa.array(range(rows), pa.int64()),
        "account": [f"{row % 300:012d}" for row in range(rows)],
        "name": [f"name-{number:016x}" for number in random.integers(0, 2**62, rows)],
        "amount": pa.array((random.integers(0, 10**7, rows) / 100).round(2)).cast(pa.decimal128(18, 2)),
        "ratio": random.random(rows),
        "size": random.integers(0, 5000, rows, dtype="int32"),
        "active": random.integers(0, 2, rows) == 1,
        "created": pa.array(random.integers(17 * 10**14, 179 * 10**13, rows)).cast(pa.timestamp("us", "UTC")),
        "day": pa.array(random.integers(0, 20_000, rows, dtype="int32")).cast(pa.date32()),
        "tags": [f'{{"team": "team-{row % 40}", "cost": {row % 1000}}}' for row in range(rows)],
    }
)
pa.parquet.write_table(table, f"{folder}/rows.parquet", row_group_size=65_536, compression="zstd")
pa.csv.write_csv(table, f"{folder}/rows.csv")
