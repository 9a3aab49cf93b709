//! A filter on a table: columns by their place, values of the columns' own types.

use std::ops::Range;
use std::sync::Arc;

use headwater_sdk::arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Scalar, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use headwater_sdk::arrow::compute::{CastOptions, cast_with_options};
use headwater_sdk::arrow::datatypes::{DataType, TimeUnit};
use headwater_sdk::text::nearest;
use headwater_sdk::types::{Inet, Mac};
use headwater_sdk::{Column, Extension, TableSchema, Uuid};

use super::super::path::{Step, Target};
use super::super::shape;
use super::evaluate::positive_zeros;
use super::{Compare, Expr, Operand, Value, Wrong, number};

/// A filter that is bound to a table's columns.
#[derive(Debug, Clone)]
pub enum Bound {
    /// All of them.
    And(Vec<Bound>),
    /// Any of them.
    Or(Vec<Bound>),
    /// The opposite.
    Not(Box<Bound>),
    /// A value beside one that is given.
    Compare(Source, Compare, Constant),
    /// A value beside another.
    Columns(Source, Compare, Source),
    /// Whether a value is one of several.
    In(Source, Vec<Constant>),
    /// Whether a text fits a pattern.
    Like(Source, Constant),
    /// Whether a value is missing.
    IsNull(Source),
    /// A truth value.
    Is(Source),
}

/// A value that the filter gives, of the type that it is compared with.
pub type Constant = Scalar<ArrayRef>;

/// Where a row's value comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The column's place in the table.
    pub column: usize,
    /// The way into its JSON; empty for the column itself.
    pub steps: Vec<Step>,
    /// What a value within JSON is taken as.
    pub form: Form,
}

/// What a value within JSON is taken as; what is of another kind is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The text of a string, or the JSON text of anything else.
    Text,
    /// A number, as exact as it is written.
    Number,
    /// A number beside a column of floating point, and only as exact.
    Float,
    /// A truth value.
    Truth,
}

/// Binds a filter to a table.
pub fn bind(expr: &Expr, table: &TableSchema) -> Result<Bound, Wrong> {
    let all = |exprs: &[Expr]| exprs.iter().map(|expr| bind(expr, table)).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::And(exprs) => Bound::And(all(exprs)?),
        Expr::Or(exprs) => Bound::Or(all(exprs)?),
        Expr::Not(expr) => Bound::Not(Box::new(bind(expr, table)?)),
        Expr::IsNull(operand) => {
            let (column, target) = find(operand, table)?;
            Bound::IsNull(source(column, target, Form::Text, operand, table)?)
        }
        Expr::Is(operand) => {
            let (column, target) = find(operand, table)?;
            let truth = !target.steps.is_empty() || table.columns[column].kind.data_type == DataType::Boolean;
            if !truth {
                let kind = table.columns[column].kind.name();
                let message = format!("`{}` is {kind}, and is compared with nothing", target.column.text);
                return Err(Wrong::new(operand.at.clone(), message)
                    .help("only a column of truth values can stand alone; compare it, or ask `is not null`"));
            }
            Bound::Is(source(column, target, Form::Truth, operand, table)?)
        }
        Expr::In(operand, values) => {
            let (column, target) = find(operand, table)?;
            let form = form(&target.steps, values.first().map(|value| &value.value));
            let source = source(column, target, form, operand, table)?;
            let ordered = false;
            let values = values.iter().map(|value| constant(&source, value, table, ordered));
            Bound::In(source.clone(), values.collect::<Result<_, _>>()?)
        }
        Expr::Like(operand, pattern) => {
            let (column, target) = find(operand, table)?;
            let source = source(column, target, Form::Text, operand, table)?;
            if source.steps.is_empty() && !is_text(&table.columns[column]) {
                let kind = table.columns[column].kind.name();
                let message = format!("`like` compares texts, and `{}` is {kind}", target.column.text);
                return Err(Wrong::new(operand.at.clone(), message).help("compare it with `=`, `<` or `in`"));
            }
            if !matches!(pattern.value, Value::Text(_)) {
                let message = format!("`like` takes a text, found {}", pattern.value.noun());
                return Err(Wrong::new(pattern.at.clone(), message).help("a text stands in single quotes: 'prod-%'"));
            }
            let pattern = constant(&source, pattern, table, false)?;
            Bound::Like(source, pattern)
        }
        Expr::Compare(left, compare, right) => compared(left, *compare, right, table)?,
    })
}

fn compared(left: &Operand, compare: Compare, right: &Operand, table: &TableSchema) -> Result<Bound, Wrong> {
    let (left, compare, right) = match (&left.value, &right.value) {
        (Value::Column(_), Value::Column(_)) => return columns(left, compare, right, table),
        (Value::Column(_), _) => (left, compare, right),
        (_, Value::Column(_)) => (right, compare.swapped(), left),
        _ => {
            let at = left.at.start..right.at.end;
            return Err(Wrong::new(at, "there is no column in this comparison")
                .help("a column stands without quotes, or in double quotes; a text in single quotes"));
        }
    };
    let (column, target) = find(left, table)?;
    let source = source(column, target, form(&target.steps, Some(&right.value)), left, table)?;
    let ordered = !matches!(compare, Compare::Equal | Compare::NotEqual);
    let constant = constant(&source, right, table, ordered)?;
    Ok(Bound::Compare(source, compare, constant))
}

fn columns(left: &Operand, compare: Compare, right: &Operand, table: &TableSchema) -> Result<Bound, Wrong> {
    let ((a, left_target), (b, right_target)) = (find(left, table)?, find(right, table)?);
    // A place within JSON is taken as what the other side is.
    let kind = |column: usize, target: &Target| match target.steps.is_empty() {
        true => Some(table.columns[column].kind.clone()),
        false => None,
    };
    let form = match kind(a, left_target).or_else(|| kind(b, right_target)).map(|kind| kind.data_type) {
        Some(DataType::Boolean) => Form::Truth,
        Some(DataType::Float64) => Form::Float,
        _ => Form::Text,
    };
    let type_of = |column: usize, target: &Target| match (kind(column, target), form) {
        (Some(kind), _) => kind.name(),
        (None, Form::Truth) => "bool".to_owned(),
        (None, Form::Number | Form::Float) => "float64".to_owned(),
        (None, Form::Text) => "utf8".to_owned(),
    };
    let (of_left, of_right) = (type_of(a, left_target), type_of(b, right_target));
    if of_left != of_right {
        let message = format!("{of_left} and {of_right} cannot be compared with each other");
        return Err(Wrong::new(left.at.start..right.at.end, message)
            .help("compare columns of one type with each other, or each of them with a value"));
    }
    let ordered = !matches!(compare, Compare::Equal | Compare::NotEqual);
    if kind(a, left_target).is_some() {
        comparable(&table.columns[a], left.at.clone(), ordered)?;
    }
    let (left, right) = (source(a, left_target, form, left, table)?, source(b, right_target, form, right, table)?);
    Ok(Bound::Columns(left, compare, right))
}

/// What a value within JSON is taken as, where it is compared with a given one.
fn form(steps: &[Step], with: Option<&Value>) -> Form {
    match with {
        Some(Value::Number(_)) if !steps.is_empty() => Form::Number,
        Some(Value::Truth(_)) if !steps.is_empty() => Form::Truth,
        _ => Form::Text,
    }
}

/// The column that an operand names.
fn find<'a>(operand: &'a Operand, table: &TableSchema) -> Result<(usize, &'a Target), Wrong> {
    let Value::Column(target) = &operand.value else {
        return Err(Wrong::new(operand.at.clone(), format!("expected a column, found {}", operand.value.noun())));
    };
    let name = target.column.text.as_str();
    if let Some(column) = table.columns.iter().position(|column| column.name == name) {
        return Ok((column, target));
    }
    let wrong = Wrong::new(operand.at.clone(), format!("`{}` has no column `{name}`", table.name));
    Err(match nearest(name, table.columns.iter().map(|column| column.name.as_str())) {
        Some(nearest) => wrong.help(format!("did you mean `{nearest}`?")),
        None => wrong.help(format!("a text stands in single quotes: '{name}'")),
    })
}

fn source(column: usize, target: &Target, form: Form, operand: &Operand, table: &TableSchema) -> Result<Source, Wrong> {
    let of = &table.columns[column];
    if !target.steps.is_empty() {
        if of.kind.extension != Some(Extension::Json) {
            let message = format!("`{}` is {}, and there is no path into it", of.name, of.kind.name());
            return Err(Wrong::new(operand.at.clone(), message)
                .help("only values within a json column can be compared; of this one, name the whole column"));
        }
        if let Some(shape) = &of.shape {
            shape::check(shape, &target.steps).map_err(|nowhere| {
                let wrong = Wrong::new(operand.at.clone(), format!("`{}`: {}", of.name, nowhere.message));
                match nowhere.nearest {
                    Some(nearest) => wrong.help(format!("did you mean `{nearest}`?")),
                    None => wrong,
                }
            })?;
        }
    }
    Ok(Source { column, steps: target.steps.clone(), form })
}

fn is_text(column: &Column) -> bool {
    column.kind.extension.is_none()
        && matches!(column.kind.data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Refuses columns whose values have no order, or cannot be compared at all.
fn comparable(column: &Column, at: Range<usize>, ordered: bool) -> Result<(), Wrong> {
    let (name, kind) = (&column.name, column.kind.name());
    match (column.kind.extension, &column.kind.data_type) {
        (Some(Extension::Json), _) => {
            Err(Wrong::new(at, format!("`{name}` is json, which cannot be compared as a whole"))
                .help(format!("compare a value within it, such as `{name}.key`, or ask `is null`")))
        }
        (Some(Extension::Inet | Extension::Mac), _) if ordered => {
            Err(Wrong::new(at, format!("`{name}` is {kind}, which has no order here"))
                .help("`=`, `!=` and `in` are there"))
        }
        (Some(_), _) => Ok(()),
        (None, DataType::Duration(_) | DataType::Interval(_)) => {
            Err(Wrong::new(at, format!("`{name}` is {kind}, and lengths of time cannot be compared here"))
                .help("only `is null` and `is not null` can be asked of it"))
        }
        (None, kind) if kind.is_integer() || kind.is_floating() || kind.is_temporal() => Ok(()),
        (None, kind) if matches!(kind, DataType::Boolean) || kind.is_decimal() => Ok(()),
        (None, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Ok(()),
        _ => Err(Wrong::new(at, format!("`{name}` is {kind}, which cannot be compared"))
            .help("only `is null` and `is not null` can be asked of it")),
    }
}

/// A given value as one of the type of the source that it is compared with.
fn constant(source: &Source, value: &Operand, table: &TableSchema, ordered: bool) -> Result<Constant, Wrong> {
    let column = &table.columns[source.column];
    let array = if source.steps.is_empty() {
        comparable(column, value.at.clone(), ordered)?;
        of_column(column, value)?
    } else {
        within_json(source.form, value)?
    };
    Ok(Scalar::new(array))
}

fn within_json(form: Form, value: &Operand) -> Result<ArrayRef, Wrong> {
    Ok(match (form, &value.value) {
        (Form::Text, Value::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
        (Form::Number, Value::Number(number)) => match number::sortable(number) {
            Some(number) => Arc::new(BinaryArray::from(vec![number.as_slice()])),
            None => return Err(Wrong::new(value.at.clone(), format!("`{number}` is no number"))),
        },
        (Form::Truth, Value::Truth(truth)) => Arc::new(BooleanArray::from(vec![*truth])),
        (_, other) => {
            let message = format!("expected values of one kind, found {}", other.noun());
            return Err(Wrong::new(value.at.clone(), message).help("a text stands in single quotes, a number without"));
        }
    })
}

fn of_column(column: &Column, value: &Operand) -> Result<ArrayRef, Wrong> {
    let kind = &column.kind.data_type;
    let mismatch = |help: &str| {
        let message =
            format!("`{}` is {}, and cannot be compared with {}", column.name, column.kind.name(), value.value.noun());
        Wrong::new(value.at.clone(), message).help(help)
    };
    let numeric = kind.is_integer() || kind.is_floating() || kind.is_decimal();
    let text = match (&value.value, column.kind.extension) {
        (Value::Truth(truth), None) if *kind == DataType::Boolean => {
            return Ok(Arc::new(BooleanArray::from(vec![*truth])));
        }
        (Value::Number(text), None) if numeric => text,
        (Value::Text(text), extension) if extension.is_some() || !(numeric || *kind == DataType::Boolean) => text,
        (Value::Text(_), _) if *kind == DataType::Boolean => {
            return Err(mismatch("write `true` or `false`, without quotes"));
        }
        (Value::Text(_), _) => return Err(mismatch("a number stands without quotes")),
        (Value::Number(_) | Value::Truth(_), _) if kind.is_temporal() => {
            return Err(mismatch("a point in time is written '2026-01-31T12:00:00Z', a date '2026-01-31'"));
        }
        (Value::Column(_), _) => return Err(mismatch("compare it with a text, a number, `true` or `false`")),
        _ if is_text(column) || column.kind.extension.is_some() => {
            return Err(mismatch("a text stands in single quotes"));
        }
        _ => return Err(mismatch("compare it with a value of its own type")),
    };
    let unfit = |help: &str| {
        Wrong::new(value.at.clone(), format!("`{text}` is no value of type {}", column.kind.name())).help(help)
    };
    match column.kind.extension {
        Some(Extension::Uuid) => {
            let id = Uuid::parse_str(text).map_err(|_| unfit("a uuid has 32 hexadecimal digits"))?;
            return FixedSizeBinaryArray::try_from_iter(std::iter::once(id.into_bytes()))
                .map(|array| Arc::new(array) as ArrayRef)
                .map_err(|_| unfit("a uuid has 32 hexadecimal digits"));
        }
        Some(Extension::Inet) => {
            let help = "an address or network is written 10.0.0.0/8 or ::1";
            let inet = Inet::parse(text).map_err(|_| unfit(help))?;
            return Ok(Arc::new(BinaryArray::from(vec![inet.as_str().as_bytes()])));
        }
        Some(Extension::Mac) => {
            let mac = Mac::parse(text).map_err(|_| unfit("a hardware address is written 0a:1b:2c:3d:4e:5f"))?;
            return Ok(Arc::new(BinaryArray::from(vec![mac.as_bytes()])));
        }
        _ => {}
    }
    if let DataType::Decimal32(_, scale)
    | DataType::Decimal64(_, scale)
    | DataType::Decimal128(_, scale)
    | DataType::Decimal256(_, scale) = kind
        && text.split_once('.').is_some_and(|(_, digits)| digits.len() as i64 > i64::from(*scale))
    {
        return Err(unfit(&format!("its values have {scale} digits after the point")));
    }
    if let DataType::Timestamp(unit, zone) = kind {
        let help = match zone {
            Some(_) => "a point in time is written '2026-01-31T12:00:00Z' or '2026-01-31'",
            None => "a time without a zone is written '2026-01-31T12:00:00' or '2026-01-31'",
        };
        let time = time(text, zone.is_some()).ok_or_else(|| unfit(help))?;
        return timestamp(time, *unit, zone.as_ref())
            .ok_or_else(|| unfit("it is more exact, or further away, than the column's type can say"));
    }
    let help = match kind {
        kind if kind.is_integer() => "a whole number within the type's range is wanted",
        DataType::Date32 | DataType::Date64 => "a date is written '2026-01-31'",
        DataType::Time32(_) | DataType::Time64(_) => "a time of day is written '12:00:00'",
        _ => "write it as it is shown for this type",
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
    let array = cast_with_options(&texts, kind, &options).map_err(|_| unfit(help))?;
    if array.is_null(0) { Err(unfit(help)) } else { Ok(positive_zeros(&array)) }
}

/// A point in time in nanoseconds since 1970. A date is its first moment, and without a zone it is in UTC.
fn time(text: &str, zoned: bool) -> Option<i128> {
    if zoned && let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    // A time of day of no zone would be another moment in each.
    if zoned && text.contains(':') {
        return None;
    }
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_nanosecond())
}

fn timestamp(nanoseconds: i128, unit: TimeUnit, zone: Option<&Arc<str>>) -> Option<ArrayRef> {
    let exactly = |of_unit: i128| match nanoseconds % of_unit {
        0 => i64::try_from(nanoseconds / of_unit).ok(),
        _ => None,
    };
    let zone = zone.cloned();
    Some(match unit {
        TimeUnit::Second => Arc::new(TimestampSecondArray::from(vec![exactly(1_000_000_000)?]).with_timezone_opt(zone)),
        TimeUnit::Millisecond => {
            Arc::new(TimestampMillisecondArray::from(vec![exactly(1_000_000)?]).with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(TimestampMicrosecondArray::from(vec![exactly(1000)?]).with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => Arc::new(TimestampNanosecondArray::from(vec![exactly(1)?]).with_timezone_opt(zone)),
    })
}
