//! xkcd comics: a connector for an HTTP JSON API whose structs are the rows.
