//! What a Rust type is as an Arrow column, and how a value is appended to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, ListBuilder, PrimitiveBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use uuid::Uuid;

use crate::json::{WriteJson, write_array};
use crate::schema::{ColumnType, Extension};
use crate::types::{Binary, Enum, Inet, KeyValue, KeyValues, Mac, RawJson, Timestamp};

/// Bytes of a text for which there is room at first: many columns are empty, and those that are not are grown to fit.
pub const TEXT: usize = 8;

/// A type that can be a column.
///
/// Implemented for Rust's scalars, `String`, the types of [`crate::types`], `Option`, `Box`, `Vec` and maps; the
/// derive implements it for structs and unions, which become JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column",
    note = "use a scalar, `String`, `Timestamp`, `Binary`, `RawJson`, an `Option` or `Vec` of them, or a struct with `#[derive(Record)]`"
)]
pub trait Value: WriteJson + Sized {
    /// The Arrow builder that collects the column.
    type Builder: ArrayBuilder;
    /// How a `Vec` of this type is stored.
    type Many: Many;
    /// Whether a value may be missing.
    const NULLABLE: bool = false;

    /// The column's type.
    fn column_type() -> ColumnType;
    /// An empty builder of the column's type, with room for about so many rows.
    fn builder(rows: usize) -> Self::Builder;
    /// Appends the value and tells about how many bytes it took.
    fn append(&self, builder: &mut Self::Builder) -> usize;
    /// Appends a missing value.
    fn append_null(builder: &mut Self::Builder);
    /// Whether the value is missing.
    fn is_null(&self) -> bool {
        false
    }
    /// Appends the value as the text that identifies it in a key, or answers false where it is missing.
    fn key_text(&self, out: &mut Vec<u8>) -> bool {
        self.write_json(out);
        true
    }
}

/// How a `Vec` of values is stored: [`AsList`] or [`AsJson`].
pub trait Many {
    /// The Arrow builder of a column of such vectors.
    type Builder<T: Value>: ArrayBuilder;
    /// The column's type.
    fn column_type<T: Value>() -> ColumnType;
    /// An empty builder with room for about so many rows.
    fn builder<T: Value>(rows: usize) -> Self::Builder<T>;
    /// Appends one vector and tells about how many bytes it took.
    fn append<T: Value>(items: &[T], builder: &mut Self::Builder<T>) -> usize;
    /// Appends a missing vector.
    fn append_null<T: Value>(builder: &mut Self::Builder<T>);
}

/// Vectors of scalars are Arrow lists.
pub struct AsList;
/// Vectors of anything nested are JSON arrays.
pub struct AsJson;

fn list_item<T: Value>() -> Arc<Field> {
    let item = T::column_type();
    let field = Field::new("item", item.data_type, true);
    Arc::new(match item.extension {
        Some(extension) => field.with_metadata(extension.metadata()),
        None => field,
    })
}

impl Many for AsList {
    type Builder<T: Value> = ListBuilder<T::Builder>;
    fn column_type<T: Value>() -> ColumnType {
        ColumnType::plain(DataType::List(list_item::<T>()))
    }
    fn builder<T: Value>(rows: usize) -> Self::Builder<T> {
        ListBuilder::with_capacity(T::builder(0), rows).with_field(list_item::<T>())
    }
    fn append<T: Value>(items: &[T], builder: &mut Self::Builder<T>) -> usize {
        let bytes = items.iter().map(|item| item.append(builder.values())).sum::<usize>();
        builder.append(true);
        bytes + 4
    }
    fn append_null<T: Value>(builder: &mut Self::Builder<T>) {
        builder.append(false);
    }
}

impl Many for AsJson {
    type Builder<T: Value> = BinaryBuilder;
    fn column_type<T: Value>() -> ColumnType {
        ColumnType::of(Extension::Json)
    }
    fn builder<T: Value>(rows: usize) -> Self::Builder<T> {
        BinaryBuilder::with_capacity(rows, rows * TEXT)
    }
    fn append<T: Value>(items: &[T], builder: &mut Self::Builder<T>) -> usize {
        append_json_with(builder, |out| write_array(items, out))
    }
    fn append_null<T: Value>(builder: &mut Self::Builder<T>) {
        builder.append_null();
    }
}

thread_local! {
    /// The buffer in which a JSON text is put together before it is copied into its column.
    static SCRATCH: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn append_json_with(builder: &mut BinaryBuilder, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        write(scratch);
        builder.append_value(&*scratch);
        let bytes = scratch.len() + 4;
        // One huge document must not keep its buffer for the rest of the run.
        scratch.shrink_to(1 << 16);
        bytes
    })
}

/// Appends a value as JSON text to a `json` column. For the derive.
pub fn append_json<T: WriteJson>(value: &T, builder: &mut BinaryBuilder) -> usize {
    append_json_with(builder, |out| value.write_json(out))
}

macro_rules! numbers {
    ($($type:ty => $arrow:ty),* $(,)?) => {$(
        impl Value for $type {
            type Builder = PrimitiveBuilder<$arrow>;
            type Many = AsList;
            fn column_type() -> ColumnType {
                ColumnType::plain(<$arrow as ArrowPrimitiveType>::DATA_TYPE)
            }
            fn builder(rows: usize) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows)
            }
            fn append(&self, builder: &mut Self::Builder) -> usize {
                builder.append_value(*self);
                size_of::<$type>()
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
        }
    )*};
}

numbers! {
    i8 => Int8Type, i16 => Int16Type, i32 => Int32Type, i64 => Int64Type,
    u8 => UInt8Type, u16 => UInt16Type, u32 => UInt32Type, u64 => UInt64Type,
    f32 => Float32Type, f64 => Float64Type,
}

/// The members of [`Value`] that are the same for every type with a plain `new` and `append_value`.
macro_rules! simple {
    ($builder:ty, $many:ty, $kind:expr, |$rows:ident| $new:expr, |$value:ident| ($append:expr, $bytes:expr)) => {
        type Builder = $builder;
        type Many = $many;
        fn column_type() -> ColumnType {
            $kind
        }
        fn builder($rows: usize) -> Self::Builder {
            $new
        }
        fn append(&self, builder: &mut Self::Builder) -> usize {
            let $value = self;
            builder.append_value($append);
            $bytes
        }
        fn append_null(builder: &mut Self::Builder) {
            builder.append_null();
        }
    };
}

impl Value for bool {
    simple!(
        BooleanBuilder,
        AsList,
        ColumnType::plain(DataType::Boolean),
        |rows| BooleanBuilder::with_capacity(rows),
        |value| (*value, 1)
    );
}

/// Text is its own key text, without the quotes of JSON.
macro_rules! text_key {
    (|$value:ident| $text:expr) => {
        fn key_text(&self, out: &mut Vec<u8>) -> bool {
            let $value = self;
            out.extend_from_slice($text);
            true
        }
    };
}

impl Value for String {
    simple!(
        StringBuilder,
        AsList,
        ColumnType::plain(DataType::Utf8),
        |rows| StringBuilder::with_capacity(rows, rows * TEXT),
        |value| (value, value.len() + 4)
    );
    text_key!(|value| value.as_bytes());
}

impl<T: AsRef<str>> Value for Enum<T> {
    simple!(
        StringBuilder,
        AsList,
        ColumnType::plain(DataType::Utf8),
        |rows| StringBuilder::with_capacity(rows, rows * TEXT),
        |value| (value.0.as_ref(), value.0.as_ref().len() + 4)
    );
    text_key!(|value| value.0.as_ref().as_bytes());
}

impl Value for Timestamp {
    simple!(
        TimestampMicrosecondBuilder,
        AsList,
        ColumnType::plain(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        |rows| TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
        |value| (value.0, 8)
    );
    text_key!(|value| value.to_rfc3339().as_bytes());
}

impl Value for Binary {
    simple!(
        BinaryBuilder,
        AsList,
        ColumnType::plain(DataType::Binary),
        |rows| BinaryBuilder::with_capacity(rows, rows * TEXT),
        |value| (&value.0, value.0.len() + 4)
    );
}

impl Value for RawJson {
    simple!(
        BinaryBuilder,
        AsJson,
        ColumnType::of(Extension::Json),
        |rows| BinaryBuilder::with_capacity(rows, rows * TEXT),
        |value| (value.as_str(), value.as_str().len() + 4)
    );
}

impl Value for Inet {
    simple!(
        BinaryBuilder,
        AsList,
        ColumnType::of(Extension::Inet),
        |rows| BinaryBuilder::with_capacity(rows, rows * TEXT),
        |value| (value.as_str(), value.as_str().len() + 4)
    );
    text_key!(|value| value.as_str().as_bytes());
}

impl Value for Mac {
    simple!(
        BinaryBuilder,
        AsList,
        ColumnType::of(Extension::Mac),
        |rows| BinaryBuilder::with_capacity(rows, rows * TEXT),
        |value| (value.as_bytes(), 12)
    );
}

impl WriteJson for Uuid {
    fn write_json(&self, out: &mut Vec<u8>) {
        crate::json::write_str(self.hyphenated().encode_lower(&mut Uuid::encode_buffer()), out);
    }
    fn shape(_: usize) -> serde_json::Value {
        serde_json::Value::from("uuid")
    }
}

impl Value for Uuid {
    type Builder = FixedSizeBinaryBuilder;
    type Many = AsList;
    fn column_type() -> ColumnType {
        ColumnType::of(Extension::Uuid)
    }
    fn builder(rows: usize) -> Self::Builder {
        FixedSizeBinaryBuilder::with_capacity(rows, 16)
    }
    fn append(&self, builder: &mut Self::Builder) -> usize {
        // The builder refuses only another width than its own, which is fixed above.
        let _ = builder.append_value(self.as_bytes());
        16
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
    text_key!(|value| value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
}

/// The members of [`Value`] of a type that is stored as JSON. For this module and the derive.
#[macro_export]
macro_rules! json_value {
    () => {
        type Builder = $crate::arrow::array::BinaryBuilder;
        type Many = $crate::value::AsJson;
        fn column_type() -> $crate::ColumnType {
            $crate::ColumnType::of($crate::Extension::Json)
        }
        fn builder(rows: usize) -> Self::Builder {
            $crate::arrow::array::BinaryBuilder::with_capacity(rows, rows * $crate::value::TEXT)
        }
        fn append(&self, builder: &mut Self::Builder) -> usize {
            $crate::value::append_json(self, builder)
        }
        fn append_null(builder: &mut Self::Builder) {
            builder.append_null();
        }
    };
}

impl<T: KeyValue> Value for KeyValues<T> {
    json_value!();
}

impl<T: WriteJson> Value for BTreeMap<String, T> {
    json_value!();
}

impl<T: WriteJson> Value for HashMap<String, T> {
    json_value!();
}

impl<T: Value> Value for Vec<T> {
    type Builder = <T::Many as Many>::Builder<T>;
    type Many = AsJson;
    fn column_type() -> ColumnType {
        T::Many::column_type::<T>()
    }
    fn builder(rows: usize) -> Self::Builder {
        T::Many::builder::<T>(rows)
    }
    fn append(&self, builder: &mut Self::Builder) -> usize {
        T::Many::append(self, builder)
    }
    fn append_null(builder: &mut Self::Builder) {
        T::Many::append_null::<T>(builder);
    }
}

impl<T: Value> Value for Box<T> {
    type Builder = T::Builder;
    type Many = T::Many;
    const NULLABLE: bool = T::NULLABLE;
    fn column_type() -> ColumnType {
        T::column_type()
    }
    fn builder(rows: usize) -> Self::Builder {
        T::builder(rows)
    }
    fn append(&self, builder: &mut Self::Builder) -> usize {
        (**self).append(builder)
    }
    fn append_null(builder: &mut Self::Builder) {
        T::append_null(builder);
    }
    fn is_null(&self) -> bool {
        (**self).is_null()
    }
    fn key_text(&self, out: &mut Vec<u8>) -> bool {
        (**self).key_text(out)
    }
}

impl<T: Value> Value for Option<T> {
    type Builder = T::Builder;
    type Many = T::Many;
    const NULLABLE: bool = true;
    fn column_type() -> ColumnType {
        T::column_type()
    }
    fn builder(rows: usize) -> Self::Builder {
        T::builder(rows)
    }
    fn append(&self, builder: &mut Self::Builder) -> usize {
        match self {
            Some(value) => value.append(builder),
            None => {
                T::append_null(builder);
                1
            }
        }
    }
    fn append_null(builder: &mut Self::Builder) {
        T::append_null(builder);
    }
    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(Value::is_null)
    }
    fn key_text(&self, out: &mut Vec<u8>) -> bool {
        self.as_ref().is_some_and(|value| value.key_text(out))
    }
}
