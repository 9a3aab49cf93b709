//! Transformers `contract`, which holds rows to what is agreed on, and `flatten`, which makes columns of what is within one.

mod contract;
mod flatten;
mod scalar;

use std::sync::Arc;

use headwater_sdk::{Result, Transformer};

pub use contract::Spec as ContractSpec;
pub use flatten::Spec as FlattenSpec;

/// The transformer `contract` of a spec.
///
/// # Errors
/// If the spec cannot be met by any table.
pub fn contract(spec: ContractSpec) -> Result<Arc<dyn Transformer>> {
    Ok(Arc::new(contract::Contract::new(spec)?))
}

/// The transformer `flatten` of a spec.
///
/// # Errors
/// If the spec cannot be met by any table.
pub fn flatten(spec: FlattenSpec) -> Result<Arc<dyn Transformer>> {
    Ok(Arc::new(flatten::Flatten::new(spec)?))
}
