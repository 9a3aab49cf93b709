//! The transformers that a table passes on its way to a destination, one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sdk::arrow::array::RecordBatch;
use headwater_sdk::{Result, TableSchema, TableTransform, Transformed};

/// What becomes of tables on their way to one destination, by name. Others pass as they are.
pub type Chains = HashMap<String, Arc<Chain>>;

/// What becomes of one table.
pub struct Chain {
    /// The names of the transformers, and what they do with the table.
    steps: Vec<(String, Arc<dyn TableTransform>)>,
    schema: Arc<TableSchema>,
}

impl Chain {
    /// Of at least one step.
    pub fn new(steps: Vec<(String, Arc<dyn TableTransform>)>) -> Option<Self> {
        let schema = Arc::clone(steps.last()?.1.schema());
        Some(Self { steps, schema })
    }

    /// The table as the destination sees it.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Has a batch pass all steps.
    ///
    /// # Errors
    /// If one of them cannot take it.
    pub fn apply(&self, batch: RecordBatch) -> Result<Transformed> {
        let mut done = Transformed::whole(batch);
        for (name, step) in &self.steps {
            let of_step = step
                .apply(&done.batch)
                .map_err(|error| error.while_doing(format_args!("transformer {name}, table {}", self.schema.name)))?;
            let named = |mut rejected: headwater_sdk::rejects::Rejected| {
                rejected.reason = format!("transformer {name}: {}", rejected.reason);
                rejected
            };
            done.batch = of_step.batch;
            done.rows.extend(of_step.rows.into_iter().map(named));
            done.values.extend(of_step.values.into_iter().map(named));
        }
        Ok(done)
    }
}
