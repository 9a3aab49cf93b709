//! The gallery: what a reviewer reads when a table changes. All of it is in `tests/gallery.rs` and `tables/`.
