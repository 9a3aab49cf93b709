//! What ClickHouse's types are here, and as what they are asked for.

use std::sync::Arc;

use headwater_clickhouse_client::sql::quote;
use headwater_sdk::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use headwater_sdk::{ColumnType, Extension};

use crate::spec::Strings;
use crate::types::Type;

/// How the values of a type come and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// They come as what they are here.
    Same(DataType),
    /// Bytes that are text.
    Text,
    /// Bytes that are JSON.
    Json,
    /// Whole numbers of 128 bits, with a sign or without one.
    Wide { signed: bool },
    /// Days.
    Date,
    /// Seconds.
    DateTime,
    /// Points in time of a finer unit.
    Time(TimeUnit),
    /// Points in time that are to have no zone.
    Local,
    /// Identifiers of 16 bytes.
    Uuid,
    /// Addresses of four bytes.
    Ipv4,
    /// Addresses of sixteen bytes.
    Ipv6,
    /// Lists.
    List(Box<Kind>),
    /// Fields with their names.
    Struct(Vec<(String, Kind)>),
    /// Keys and values.
    Map(Box<Kind>, Box<Kind>),
}

/// A type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    pub kind: Kind,
    /// The type that it is asked for as, where that is not its own.
    pub target: Option<String>,
    /// Whether a value may be missing.
    pub nullable: bool,
}

impl Mapped {
    fn same(kind: DataType) -> Self {
        Self::of(Kind::Same(kind))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, target: None, nullable: false }
    }

    fn asked(kind: Kind, target: &str) -> Self {
        Self { kind, target: Some(target.to_owned()), nullable: false }
    }
}

/// What a type of the server is here.
pub fn map(kind: &Type, strings: Strings) -> Mapped {
    nested(kind, strings).or_else(|| time(kind)).or_else(|| geometry(kind)).unwrap_or_else(|| plain(kind, strings))
}

/// What is made of other types.
fn nested(kind: &Type, strings: Strings) -> Option<Mapped> {
    let inner = |index| kind.inner(index).map(|inner| map(&inner, strings));
    Some(match kind.name.as_str() {
        "Nullable" => {
            let mapped = inner(0)?;
            Mapped { target: mapped.target.as_deref().map(nullable), nullable: true, ..mapped }
        }
        "LowCardinality" => inner(0)?,
        "SimpleAggregateFunction" => inner(1)?,
        "Array" => list(inner(0)?),
        "Map" => {
            let (key, value) = (inner(0)?, inner(1)?);
            let target = (key.target.is_some() || value.target.is_some())
                .then(|| Some(format!("Map({}, {})", text(&key, &kind.inner(0)?), text(&value, &kind.inner(1)?))));
            let kind = Kind::Map(Box::new(key.kind), Box::new(value.kind));
            Mapped { kind, target: target.flatten(), nullable: false }
        }
        "Tuple" if !kind.arguments.is_empty() => tuple(&kind.fields(), strings),
        "Nested" if !kind.arguments.is_empty() => list(tuple(&kind.fields(), strings)),
        _ => return None,
    })
}

fn list(item: Mapped) -> Mapped {
    let target = item.target.map(|target| format!("Array({target})"));
    Mapped { kind: Kind::List(Box::new(item.kind)), target, nullable: false }
}

fn text(mapped: &Mapped, kind: &Type) -> String {
    mapped.target.clone().unwrap_or_else(|| kind.text.clone())
}

fn nullable(target: &str) -> String {
    if target.starts_with("Nullable(") { target.to_owned() } else { format!("Nullable({target})") }
}

fn tuple(fields: &[(Option<String>, Type)], strings: Strings) -> Mapped {
    let mapped: Vec<Mapped> = fields.iter().map(|(_, kind)| map(kind, strings)).collect();
    let target = mapped.iter().any(|mapped| mapped.target.is_some()).then(|| {
        let fields = fields.iter().zip(&mapped).map(|((name, kind), mapped)| match name {
            Some(name) => format!("{} {}", quote(name), text(mapped, kind)),
            None => text(mapped, kind),
        });
        format!("Tuple({})", fields.collect::<Vec<_>>().join(", "))
    });
    let named = fields.iter().zip(mapped).enumerate().map(|(index, ((name, _), mapped))| {
        // As the server calls them.
        (name.clone().unwrap_or_else(|| (index + 1).to_string()), mapped.kind)
    });
    Mapped { kind: Kind::Struct(named.collect()), target, nullable: false }
}

/// Shapes, which are tuples and lists under other names.
fn geometry(kind: &Type) -> Option<Mapped> {
    let depth = match kind.name.as_str() {
        "Point" => 0,
        "Ring" | "LineString" => 1,
        "Polygon" | "MultiLineString" => 2,
        "MultiPolygon" => 3,
        _ => return None,
    };
    let number = |name: &str| (name.to_owned(), Kind::Same(DataType::Float64));
    let point = Mapped::of(Kind::Struct(vec![number("1"), number("2")]));
    Some((0..depth).fold(point, |item, _| list(item)))
}

fn time(kind: &Type) -> Option<Mapped> {
    let unit = || {
        Some(match kind.number::<u8>(0)? {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ => TimeUnit::Nanosecond,
        })
    };
    Some(match kind.name.as_str() {
        "Date" | "Date32" => Mapped::of(Kind::Date),
        "DateTime" => Mapped::of(Kind::DateTime),
        "DateTime64" => Mapped::of(Kind::Time(unit()?)),
        "Time" => Mapped::same(DataType::Time32(TimeUnit::Second)),
        "Time64" => Mapped::same(match unit()? {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => DataType::Time32(unit),
            unit => DataType::Time64(unit),
        }),
        _ => return None,
    })
}

fn plain(kind: &Type, strings: Strings) -> Mapped {
    match kind.name.as_str() {
        "Bool" => Mapped::same(DataType::Boolean),
        "Int8" => Mapped::same(DataType::Int8),
        "Int16" => Mapped::same(DataType::Int16),
        "Int32" => Mapped::same(DataType::Int32),
        "Int64" => Mapped::same(DataType::Int64),
        "UInt8" => Mapped::same(DataType::UInt8),
        "UInt16" => Mapped::same(DataType::UInt16),
        "UInt32" => Mapped::same(DataType::UInt32),
        "UInt64" => Mapped::same(DataType::UInt64),
        "Int128" => Mapped::of(Kind::Wide { signed: true }),
        "UInt128" => Mapped::of(Kind::Wide { signed: false }),
        "Float32" => Mapped::same(DataType::Float32),
        "Float64" => Mapped::same(DataType::Float64),
        "BFloat16" => Mapped::asked(Kind::Same(DataType::Float32), "Float32"),
        "Decimal" => decimal(kind).map_or_else(|| Mapped::asked(Kind::Text, "String"), Mapped::same),
        "String" => Mapped::of(match strings {
            Strings::Utf8 => Kind::Text,
            Strings::Binary => Kind::Same(DataType::Binary),
        }),
        "FixedString" => match kind.number::<i32>(0) {
            Some(size) => Mapped::same(DataType::FixedSizeBinary(size)),
            None => Mapped::asked(Kind::Text, "String"),
        },
        "UUID" => Mapped::of(Kind::Uuid),
        "IPv4" => Mapped::of(Kind::Ipv4),
        "IPv6" => Mapped::of(Kind::Ipv6),
        "JSON" => Mapped::asked(Kind::Json, "String"),
        // There a value may be missing without being said to be `Nullable`.
        "Variant" | "Dynamic" => Mapped { nullable: true, ..Mapped::asked(Kind::Text, "Nullable(String)") },
        // The state, as it may be written again. Not asked for as bytes, it comes as an address in the server's memory.
        "AggregateFunction" => Mapped::asked(Kind::Same(DataType::Binary), "String"),
        name if name.starts_with("Interval") => Mapped::same(DataType::Int64),
        _ => Mapped::asked(Kind::Text, "String"),
    }
}

fn decimal(kind: &Type) -> Option<DataType> {
    let (precision, scale) = (kind.number(0)?, kind.number(1)?);
    Some(if precision <= 38 { DataType::Decimal128(precision, scale) } else { DataType::Decimal256(precision, scale) })
}

/// The zone of all points in time; that of the column makes a difference only in how they are shown.
pub const ZONE: &str = "UTC";

impl Kind {
    /// The type that values have here.
    pub fn column_type(&self) -> ColumnType {
        let time = |unit| DataType::Timestamp(unit, Some(ZONE.into()));
        ColumnType::plain(match self {
            Kind::Same(kind) => kind.clone(),
            Kind::Text => DataType::Utf8,
            Kind::Json => return ColumnType::of(Extension::Json),
            Kind::Uuid => return ColumnType::of(Extension::Uuid),
            Kind::Ipv4 | Kind::Ipv6 => return ColumnType::of(Extension::Inet),
            Kind::Wide { .. } => DataType::Decimal256(39, 0),
            Kind::Date => DataType::Date32,
            Kind::DateTime => time(TimeUnit::Second),
            Kind::Time(unit) => time(*unit),
            Kind::Local => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::List(item) => DataType::List(item.field("item", true)),
            Kind::Struct(fields) => {
                DataType::Struct(fields.iter().map(|(name, kind)| kind.field(name, true)).collect())
            }
            Kind::Map(key, value) => {
                let entries = DataType::Struct([key.field("key", false), value.field("value", true)].into());
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
        })
    }

    /// A field of such values.
    pub fn field(&self, name: &str, nullable: bool) -> FieldRef {
        let kind = self.column_type();
        let metadata = kind.extension.map(Extension::metadata).unwrap_or_default();
        Arc::new(Field::new(name, kind.data_type, nullable).with_metadata(metadata))
    }
}

/// What a type's name in the spec asks for: the kind, and ClickHouse's type.
pub fn chosen(name: &str) -> Option<(Kind, String)> {
    let name: String = name.trim().to_lowercase();
    let kind = Type::parse(&name.replace(['[', '<'], "(").replace([']', '>'], ")"));
    let same = |kind: DataType, target: &str| Some((Kind::Same(kind), target.to_owned()));
    match kind.name.as_str() {
        "bool" => same(DataType::Boolean, "Bool"),
        "int8" => same(DataType::Int8, "Int8"),
        "int16" => same(DataType::Int16, "Int16"),
        "int32" => same(DataType::Int32, "Int32"),
        "int64" => same(DataType::Int64, "Int64"),
        "uint8" => same(DataType::UInt8, "UInt8"),
        "uint16" => same(DataType::UInt16, "UInt16"),
        "uint32" => same(DataType::UInt32, "UInt32"),
        "uint64" => same(DataType::UInt64, "UInt64"),
        "float32" => same(DataType::Float32, "Float32"),
        "float64" => same(DataType::Float64, "Float64"),
        "decimal" | "decimal128" | "decimal256" => {
            let (precision, scale) = (kind.number::<u8>(0)?, kind.number::<i8>(1)?);
            let good = (1..=76).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
            good.then(|| Some((Kind::Same(decimal(&kind)?), format!("Decimal({precision}, {scale})"))))?
        }
        "utf8" => Some((Kind::Text, "String".to_owned())),
        "binary" => same(DataType::Binary, "String"),
        "json" => Some((Kind::Json, "String".to_owned())),
        "uuid" => Some((Kind::Uuid, "UUID".to_owned())),
        "date32" => Some((Kind::Date, "Date32".to_owned())),
        "timestamp" => {
            let (unit, digits) = match kind.arguments.first()?.as_str() {
                "s" => (TimeUnit::Second, 0),
                "ms" => (TimeUnit::Millisecond, 3),
                "us" => (TimeUnit::Microsecond, 6),
                "ns" => (TimeUnit::Nanosecond, 9),
                _ => return None,
            };
            let target = format!("DateTime64({digits}, '{ZONE}')");
            match kind.arguments.get(1).map(String::as_str) {
                Some("utc") => Some((Kind::Time(unit), target)),
                None if unit == TimeUnit::Microsecond => Some((Kind::Local, target)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether the server casts values of a type into those of a chosen one, or says that one does not fit. Elsewhere it would
/// cut digits, or make a value up.
pub fn can_become(from: &Type, to: &Kind) -> bool {
    match from.name.as_str() {
        "Nullable" | "LowCardinality" => return from.inner(0).is_some_and(|inner| can_become(&inner, to)),
        "SimpleAggregateFunction" => return from.inner(1).is_some_and(|inner| can_become(&inner, to)),
        _ => {}
    }
    let name = from.name.as_str();
    let number = name.strip_prefix("UInt").or_else(|| name.strip_prefix("Int"));
    let bits: Option<u16> = number.and_then(|bits| bits.parse().ok());
    let is = |names: &[&str]| names.contains(&name);
    match to {
        Kind::Text | Kind::Json | Kind::Same(DataType::Binary) => true,
        Kind::Uuid => is(&["String", "UUID"]),
        Kind::Date => is(&["Date", "Date32"]),
        Kind::Local => can_become(from, &Kind::Time(TimeUnit::Microsecond)),
        Kind::Time(unit) => match from.number::<u8>(0) {
            Some(digits) if name == "DateTime64" => digits <= 3 * (*unit as u8),
            _ => is(&["Date", "Date32", "DateTime"]),
        },
        Kind::Same(DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) => match from.number::<i8>(1) {
            Some(digits) if name == "Decimal" => digits <= *scale,
            _ => bits.is_some_and(|bits| bits <= 64),
        },
        Kind::Same(DataType::Boolean) => is(&["Bool", "UInt8"]),
        Kind::Same(kind) => {
            bits.is_some() || is(&["Float32", "Float64", "Bool", "String"]) || kind.is_floating() && name == "Decimal"
        }
        _ => false,
    }
}

/// The names that [`chosen`] takes, for whoever has written another.
pub const CHOICES: &str = "bool, int8 to int64, uint8 to uint64, float32, float64, decimal(P, S), utf8, binary, json, uuid, \
                           date32, timestamp[s|ms|us|ns, UTC] and timestamp[us]";

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(text: &str) -> (String, Option<String>, bool) {
        let mapped = map(&Type::parse(text), Strings::Utf8);
        (mapped.kind.column_type().name(), mapped.target, mapped.nullable)
    }

    #[test]
    fn what_is_within_a_type_is_asked_for_as_what_it_becomes() {
        for (text, name, target, nullable) in [
            ("LowCardinality(Nullable(String))", "utf8", None, true),
            ("SimpleAggregateFunction(sum, UInt64)", "uint64", None, false),
            ("Nullable(Enum8('a' = 1))", "utf8", Some("Nullable(String)"), true),
            ("Array(Nullable(JSON(max_dynamic_paths=8)))", "list<json>", Some("Array(Nullable(String))"), false),
            ("Variant(String, UInt8)", "utf8", Some("Nullable(String)"), true),
            ("Array(Dynamic)", "list<utf8>", Some("Array(Nullable(String))"), false),
            ("UInt128", "decimal256(39, 0)", None, false),
            ("Int256", "utf8", Some("String"), false),
            ("DateTime64(4, 'Europe/Berlin')", "timestamp[us, UTC]", None, false),
            ("Nullable(IPv6)", "inet", None, true),
        ] {
            assert_eq!(mapped(text), (name.to_owned(), target.map(str::to_owned), nullable), "{text}");
        }
        let nested = "Nested(`a b` Enum8('x' = 1), c Map(LowCardinality(String), IPv4))";
        assert_eq!(
            mapped(nested).1.as_deref(),
            Some("Array(Tuple(`a b` String, `c` Map(LowCardinality(String), IPv4)))")
        );
    }

    #[test]
    fn no_type_is_chosen_that_would_lose_something() {
        for (from, to, can) in [
            ("Nullable(Int64)", "int8", true),
            ("Int256", "int8", true),
            ("Int128", "decimal(20, 0)", false),
            ("Float64", "decimal(20, 0)", false),
            ("Decimal(9, 2)", "decimal(20, 2)", true),
            ("Decimal(9, 2)", "decimal(20, 1)", false),
            ("Decimal(9, 2)", "int64", false),
            ("Decimal(9, 2)", "float64", true),
            ("String", "date32", false),
            ("LowCardinality(String)", "int64", true),
            ("DateTime64(4)", "timestamp[ms, UTC]", false),
            ("DateTime64(6, 'UTC')", "timestamp[us]", true),
            ("DateTime", "timestamp[s, UTC]", true),
            ("DateTime", "date32", false),
            ("Array(Int8)", "utf8", true),
            ("Array(Int8)", "int8", false),
            ("IntervalDay", "int8", false),
        ] {
            let chosen = chosen(to).map(|(kind, _)| can_become(&Type::parse(from), &kind));
            assert_eq!(chosen, Some(can), "{from} as {to}");
        }
    }

    #[test]
    fn types_are_chosen_by_their_names_here() {
        for (name, target) in [
            ("decimal128(10, 2)", "Decimal(10, 2)"),
            ("Decimal(40,3)", "Decimal(40, 3)"),
            ("timestamp[ms, UTC]", "DateTime64(3, 'UTC')"),
            ("timestamp[us]", "DateTime64(6, 'UTC')"),
            ("utf8", "String"),
        ] {
            assert_eq!(chosen(name).map(|(_, target)| target).as_deref(), Some(target), "{name}");
        }
        for name in
            ["int", "decimal(3, 4)", "decimal(77, 0)", "timestamp[us, Europe/Berlin]", "list<utf8>", "timestamp"]
        {
            assert!(chosen(name).is_none(), "{name}");
        }
    }
}
