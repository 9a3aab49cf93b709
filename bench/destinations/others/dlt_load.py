"""Loads Parquet with dlt, by batches of Arrow: python dlt_load.py FILE TARGET WHERE FOLDER"""

import sys

import dlt
import pyarrow as pa
import pyarrow.parquet

file, target, where, folder = sys.argv[1:]


@dlt.resource(name="rows_dlt", write_disposition="replace")
def rows():
    for batch in pa.parquet.ParquetFile(file).iter_batches(65_536):
        yield pa.Table.from_batches([batch])


destinations = {
    "postgresql": dlt.destinations.postgres,
    "duckdb": dlt.destinations.duckdb,
    "file": dlt.destinations.filesystem,
}
pipeline = dlt.pipeline("bench", destination=destinations[target](where), dataset_name="bench", pipelines_dir=folder)
pipeline.run(rows(), loader_file_format=None if target == "postgresql" else "parquet").raise_on_failed_jobs()
