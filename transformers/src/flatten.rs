use std::sync::Arc;

use headwater_sdk::{Result, TableSchema, TableTransform, Transformer, Undiscovered};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {}
pub struct Flatten;
impl Flatten {
    pub fn new(_: Spec) -> Result<Self> {
        Ok(Self)
    }
}
impl Transformer for Flatten {
    fn table(&self, _: &Arc<TableSchema>) -> Result<Option<Arc<dyn TableTransform>>, Undiscovered> {
        Ok(None)
    }
}
