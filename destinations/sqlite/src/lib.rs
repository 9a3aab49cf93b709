//! Destination sqlite: an embedded database file.
