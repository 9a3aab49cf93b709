"""Reads the table lineitem of a PostgreSQL: python read.py PROGRAM URL [FOLDER]

Without a folder the Arrow is dropped, with one it is written there as Parquet with zstd.
"""

import pathlib
import sys

QUERY = "SELECT * FROM lineitem"


def take(batches, schema, folder):
    """Drops or writes batches, one after another."""
    if folder is None:
        for _ in batches:
            pass
        return
    import pyarrow.parquet

    with pyarrow.parquet.ParquetWriter(folder / "lineitem.parquet", schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def connectorx(url, folder):
    import connectorx

    table = connectorx.read_sql(url, QUERY, return_type="arrow")
    take(table.to_batches(), table.schema, folder)


def connectorx_stream(url, folder):
    import connectorx

    reader = connectorx.read_sql(url, QUERY, return_type="arrow_stream", batch_size=65536)
    take(reader, reader.schema, folder)


def adbc(url, folder):
    import adbc_driver_postgresql.dbapi

    with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        reader = cursor.fetch_record_batch()
        take(reader, reader.schema, folder)


def duckdb(url, folder, threads=None):
    import duckdb
    import duckdb_extension_postgres_scanner

    home = pathlib.Path(duckdb_extension_postgres_scanner.__file__).parent
    extension = next(home.rglob("*.duckdb_extension"))
    connection = duckdb.connect(config={"threads": threads} if threads else {})
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"ATTACH '{url}' AS pg (TYPE postgres, READ_ONLY)")
    query = "SELECT * FROM pg.public.lineitem"
    if folder is None:
        reader = connection.execute(query).to_arrow_reader(65536)
        take(reader, reader.schema, None)
    else:
        connection.execute(f"COPY ({query}) TO '{folder}/lineitem.parquet' (FORMAT parquet, COMPRESSION zstd)")


def dlt(url, folder, backend):
    import shutil

    import dlt
    from dlt.sources.sql_database import sql_database

    # The driver that is installed.
    url = url.replace("postgresql:", "postgresql+psycopg2:")
    source = sql_database(url, backend=backend, chunk_size=65536).with_resources("lineitem")
    destination = dlt.destinations.filesystem(f"file://{folder}")
    pipeline = dlt.pipeline("tables", destination=destination, dataset_name="bench", pipelines_dir=str(folder / "dlt"))
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
    # What it has kept of its way would be counted again.
    shutil.rmtree(folder / "dlt")


program, url = sys.argv[1:3]
folder = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
{
    "connectorx": connectorx,
    "connectorx-stream": connectorx_stream,
    "adbc": adbc,
    "duckdb": duckdb,
    "duckdb-one": lambda url, folder: duckdb(url, folder, threads=1),
    "dlt-connectorx": lambda url, folder: dlt(url, folder, "connectorx"),
    "dlt-pyarrow": lambda url, folder: dlt(url, folder, "pyarrow"),
}[program](url, folder)
