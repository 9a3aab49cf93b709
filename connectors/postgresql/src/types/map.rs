//! What becomes of a column, by its type and by what the configuration says about it.

use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::sql::quote;
use headwater_sdk::type_name::parse;
use headwater_sdk::{Column, ColumnType, Extension};

use super::native::{MONEY, base, is_told, items, natural, wire};
use super::{Mapped, Nan, Override, PgColumn, PgType, Refused, Rules, Width, Wire, is_text};
use crate::decode::reads;

/// What a column is selected as.
#[derive(Debug, Clone, PartialEq)]
enum Cast {
    /// What it is.
    None,
    /// Another type.
    To(String),
    /// JSON.
    Json,
}

impl Cast {
    fn sql(&self, column: &str) -> String {
        match self {
            Cast::None => column.to_owned(),
            Cast::To(kind) => format!("{column}::{kind}"),
            Cast::Json => format!("to_jsonb({column})"),
        }
    }
}

/// What becomes of a column.
///
/// # Errors
/// If it cannot be had as the configuration says.
pub fn map(pg: &PgColumn, said: &Override, rules: &Rules) -> Result<Mapped, Refused> {
    let (cast, wire, kind) = match &said.kind {
        Some(name) => chosen(&pg.pg_type, name)?,
        None => {
            let (cast, wire, kind) = natural(&pg.pg_type, rules);
            let brackets = "[]".repeat(depth(&wire));
            (cast.map_or(Cast::None, |to| Cast::To(format!("{to}{brackets}"))), wire, kind)
        }
    };
    let nan_is_null = said.nan == Some(Nan::Null);
    if said.nan.is_some() && !has_decimals(&wire) {
        return Err(Refused {
            key: "nan",
            message: format!("{} is read as {}, which has no decimal numbers", pg.pg_type.name, kind.name()),
            help: Some("leave `nan` out, or say `type: decimal(38, 9)`, say".to_owned()),
        });
    }
    // A decimal that is none in an array is an item that is missing, not the array.
    let may_vanish = nan_is_null && wire == Wire::Numeric;
    if may_vanish && said.nullable == Some(false) {
        return Err(Refused {
            key: "nullable",
            message: "`nan: null` makes missing values, and `nullable: false` says that there are none".to_owned(),
            help: Some("leave one of them out".to_owned()),
        });
    }
    let mut column = Column::new(said.name.as_ref().unwrap_or(&pg.name), kind, pg.comment.clone().unwrap_or_default());
    column.nullable = said.nullable.unwrap_or(!pg.not_null) || may_vanish;
    column.field_id = said.field_id;
    column.origin.clone_from(&pg.name);
    let told = is_told(base(&pg.pg_type));
    column.native = (said.kind.is_none() && !told).then(|| format!("postgresql {}", base(&pg.pg_type).name));
    Ok(Mapped { select: cast.sql(&quote(&pg.name)), column, wire, nan_is_null })
}

fn depth(wire: &Wire) -> usize {
    match wire {
        Wire::Array(item) => 1 + depth(item),
        _ => 0,
    }
}

fn has_decimals(wire: &Wire) -> bool {
    match wire {
        Wire::Array(item) => has_decimals(item),
        wire => *wire == Wire::Numeric,
    }
}

/// What the configuration wants a type to be read as.
fn chosen(of: &PgType, name: &str) -> Result<(Cast, Wire, ColumnType), Refused> {
    let refused = |message: String, help| Refused { key: "type", message, help };
    let kind = parse(name).map_err(|message| refused(message, None))?;
    if let Some((cast, wire)) = way(of, &kind) {
        return Ok((cast, wire, kind));
    }
    // What else there is, to choose from.
    const OTHERS: [&str; 12] = [
        "bool",
        "int64",
        "float64",
        "decimal(38, 9)",
        "utf8",
        "binary",
        "json",
        "uuid",
        "date32",
        "timestamp[us]",
        "timestamp[us, UTC]",
        "list<utf8>",
    ];
    let others: Vec<&str> =
        OTHERS.into_iter().filter(|other| parse(other).is_ok_and(|kind| way(of, &kind).is_some())).collect();
    let message = format!("{} cannot be read as {}", of.name, kind.name());
    Err(refused(message, Some(format!("it can be read as {}, say", others.join(", ")))))
}

/// How a type is read as another one, if no value of it is lost without a word.
fn way(of: &PgType, kind: &ColumnType) -> Option<(Cast, Wire)> {
    let of = base(of);
    let own = wire(of);
    if let Some(wire) = &own
        && reads(wire, kind)
    {
        return Some((Cast::None, wire.clone()));
    }
    if is_text(kind) {
        return Some((Cast::To("text".to_owned()), Wire::Text));
    }
    if kind.extension == Some(Extension::Json) {
        return Some(match &own {
            Some(Wire::Text) if of.typtype != 'e' => (Cast::To("json".to_owned()), Wire::Text),
            _ => (Cast::Json, Wire::Jsonb),
        });
    }
    if let (Some(from), DataType::List(item)) = (items(of), &kind.data_type) {
        let item = ColumnType { data_type: item.data_type().clone(), extension: Extension::of(item) };
        return match way(from, &item)? {
            (Cast::None, wire) => Some((Cast::None, Wire::Array(Box::new(wire)))),
            (Cast::To(to), wire) => Some((Cast::To(format!("{to}[]")), Wire::Array(Box::new(wire)))),
            (Cast::Json, _) => None,
        };
    }
    let (to, wire) = by_cast(own.as_ref(), of, kind)?;
    reads(&wire, kind).then(|| (Cast::To(to.to_owned()), wire))
}

/// Casts of the server's that keep every value, or fail. The one of `numeric` to `float8` is the nearest one, as who says
/// `float64` wants it.
fn by_cast(own: Option<&Wire>, of: &PgType, kind: &ColumnType) -> Option<(&'static str, Wire)> {
    use DataType as D;
    let to = &kind.data_type;
    let numeric = matches!(to, D::Decimal128(..) | D::Decimal256(..));
    Some(match (own, kind.extension, to) {
        (Some(Wire::Int(_)), None, _) if numeric => ("numeric", Wire::Numeric),
        (Some(Wire::Int(Width::Two | Width::Four) | Wire::Numeric), None, D::Float64) => ("float8", Wire::Float8),
        (Some(Wire::Date), None, D::Timestamp(..)) => ("timestamp", Wire::Timestamp),
        (None, None, _) if of.oid == MONEY && numeric => ("numeric", Wire::Numeric),
        (Some(Wire::Text), Some(Extension::Uuid), _) => ("uuid", Wire::Uuid),
        (Some(Wire::Text), Some(Extension::Inet), _) => ("inet", Wire::Inet),
        (Some(Wire::Text), None, to) => match to {
            D::Boolean => ("bool", Wire::Bool),
            to if to.is_integer() => ("numeric", Wire::Numeric),
            _ if numeric => ("numeric", Wire::Numeric),
            D::Float64 => ("float8", Wire::Float8),
            D::Date32 => ("date", Wire::Date),
            D::Time64(TimeUnit::Microsecond) => ("time", Wire::Time),
            D::Timestamp(_, None) => ("timestamp", Wire::Timestamp),
            D::Timestamp(_, Some(_)) => ("timestamptz", Wire::Timestamp),
            _ => return None,
        },
        _ => return None,
    })
}
