//! The gallery: one snapshot per table, one line per column.
