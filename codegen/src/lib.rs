//! What a table is, read from Rust syntax: the model under the derive and under the generator.
