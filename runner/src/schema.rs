//! `headwater schema`: the configuration's JSON Schema, for editors, from the very structs that read it.

use headwater_sdk::{Connector, Destination, Transformer};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::builtin::{Builtin, Registry};
use crate::config::destination::DestinationSpec;
use crate::config::source::SourceSpec;
use crate::config::transformer::TransformerSpec;

/// The schema of one document of a configuration file (draft 2020-12).
pub fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let source = generator.subschema_for::<SourceSpec>().to_value();
    let destination = generator.subschema_for::<DestinationSpec>().to_value();
    let transformer = generator.subschema_for::<TransformerSpec>().to_value();
    let source = with_builtins::<dyn Connector>(source, &registry.sources, &mut generator);
    let destination = with_builtins::<dyn Destination>(destination, &registry.destinations, &mut generator);
    let transformer = with_builtins::<dyn Transformer>(transformer, &registry.transformers, &mut generator);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headwater configuration",
        "description": "One document of a configuration file: a source, a destination or a transformer.",
        "type": "object",
        "required": ["kind", "spec"],
        "additionalProperties": false,
        "properties": {
            "kind": {
                "description": "What the document is about.",
                "enum": ["source", "destination", "transformer"],
            },
            "spec": { "type": "object" },
        },
        "allOf": [
            of_kind("source", &source),
            of_kind("destination", &destination),
            of_kind("transformer", &transformer),
        ],
        "$defs": generator.take_definitions(true),
    })
}

fn of_kind(kind: &str, spec: &Value) -> Value {
    json!({
        "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
        "then": { "properties": { "spec": spec } },
    })
}

/// The schema of a source's, destination's or transformer's `spec`, whose own `spec` is that of the built-in that `path` names.
fn with_builtins<T: ?Sized + 'static>(spec: Value, builtins: &[Builtin<T>], generator: &mut SchemaGenerator) -> Value {
    let paths: Vec<String> = builtins.iter().flat_map(Builtin::paths).collect();
    let mut all = vec![spec, json!({ "properties": { "path": { "enum": paths } } })];
    for builtin in builtins {
        all.push(json!({
            "if": { "properties": { "path": { "enum": builtin.paths() } }, "required": ["path"] },
            "then": { "properties": { "spec": builtin.schema(generator) } },
        }));
    }
    json!({ "allOf": all })
}
