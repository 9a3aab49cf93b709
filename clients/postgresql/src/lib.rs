//! What the source and the destination `postgresql` share: how a server is connected to, and what its errors mean.

mod connect;
pub mod errors;
pub mod retry;
mod settings;
mod takeover;
mod tls;
mod wire;

pub use connect::Connector;
pub use settings::{Place, Settings, Verify};
pub use wire::Wire;
