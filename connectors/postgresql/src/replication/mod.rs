//! Changes of tables, as the server's log has them: logical replication, read with the server's own functions over ordinary
//! connections, in syncs that end.
//!
//! A sync looks at the changes of the slot without taking them (`pg_logical_slot_peek_binary_changes`), and only when all
//! destinations have committed and the place in the log is kept, the server is told that it may forget them. A table that is
//! new is copied at a moment of its own, of which it is known which transactions it has: these are passed over in the
//! changes. So a sync that is ended at any point is repeated by the next, with the same result.

mod images;
mod message;
mod reached;
mod slot;
mod spec;
mod stream;
mod tables;
mod window;

pub use slot::Slot;
pub use spec::ReplicationSpec;
pub use stream::{Changes, kept, read};
pub use tables::{Attributes, Publication, Tracked};
