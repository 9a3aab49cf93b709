//! Amazon s3 as tables.
