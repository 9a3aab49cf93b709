//! What the server says about itself, under `/_bench/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use serde_json::json;

use crate::answer::Answer;
use crate::config::Config;
use crate::handle::State;
use crate::kind::Kind;

const JSON: &str = "application/json";

/// Answers a request about the server.
pub async fn answer(state: &State, method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Answer {
    match (method, path) {
        (&Method::GET, "stats") => json(&state.counters.stats()),
        (&Method::POST, "reset") => {
            state.counters.reset();
            json(&json!({}))
        }
        (&Method::GET, "config") => json(&state.world().config),
        (&Method::POST, "config") => match serde_json::from_slice::<Config>(body) {
            Err(error) => refused(&error.to_string()),
            Ok(config) => match config.problem() {
                Some(problem) => refused(&problem),
                None => {
                    state.set(config);
                    json(&state.world().config)
                }
            },
        },
        (&Method::GET, "expected") => expected(state, query).await,
        _ => Answer::new(404, JSON, json!({ "error": "there is no such page" }).to_string()),
    }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Answer::new(200, JSON, text),
        Err(error) => refused(&error.to_string()),
    }
}

fn refused(problem: &str) -> Answer {
    Answer::new(400, JSON, json!({ "error": problem }).to_string())
}

async fn expected(state: &State, query: Option<&str>) -> Answer {
    let estate = Arc::clone(&state.world().estate);
    let Some(name) = query.and_then(|query| query.strip_prefix("checksum=")) else {
        let rows: BTreeMap<String, u64> = Kind::ALL.iter().map(|kind| (kind.name(), estate.rows(*kind))).collect();
        return json(&rows);
    };
    let Some(kind) = Kind::from_name(name) else { return refused("there is no such kind") };
    // A checksum of millions of rows takes seconds.
    let sum = tokio::task::spawn_blocking(move || (estate.rows(kind), estate.checksum(kind))).await;
    match sum {
        // As text, because JSON's numbers end at 53 bits for many.
        Ok((rows, sum)) => json(&json!({ "rows": rows, "checksum": sum.to_string() })),
        Err(error) => refused(&error.to_string()),
    }
}
