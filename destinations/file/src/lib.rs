//! Destination file: Parquet, JSON Lines and CSV in a local folder.
