//! Values of every Arrow type: those at the edges, and random ones from a seed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DurationMicrosecondArray, DurationMillisecondArray, DurationNanosecondArray, DurationSecondArray,
    FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeBinaryArray,
    LargeListArray, LargeListViewArray, LargeStringArray, ListArray, ListViewArray, MapArray, StringArray,
    StringViewArray, StructArray, Time32MillisecondArray, Time32SecondArray, Time64MicrosecondArray,
    Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalDayTime, IntervalMonthDayNano, i256};
use fastrand::Rng;

use crate::schema::{ColumnType, Extension};

/// How many random values there are of each type.
const RANDOM: usize = 40;

/// 0001-01-01 and 9999-12-31, in days since 1970-01-01.
const DAYS: [i64; 2] = [-719_162, 2_932_896];
const DAY: i64 = 86_400;

fn integers<T>(rng: &mut Rng, edges: &[T], random: impl Fn(&mut Rng) -> T) -> Vec<Option<T>>
where
    T: Copy,
{
    let mut values: Vec<Option<T>> = edges.iter().copied().map(Some).collect();
    values.extend((0..RANDOM).map(|_| Some(random(rng))));
    values.push(None);
    values
}

/// Times of so many units a second: the edges of four-digit years, and around 1970.
fn times(rng: &mut Rng, per_second: i64) -> Vec<Option<i64>> {
    // Nanoseconds in 64 bits reach from 1677 to 2262.
    let first = (DAYS[0] * DAY).max(i64::MIN / per_second + 1) * per_second;
    let last = (DAYS[1] * DAY + DAY - 1).min(i64::MAX / per_second - 1) * per_second + per_second - 1;
    integers(rng, &[0, -1, 1, first, last], |rng| rng.i64(first..=last))
}

/// A short text of letters that need care.
pub fn text(rng: &mut Rng) -> String {
    const LETTERS: [&str; 16] =
        ["a", "B", "0", " ", "é", "\"", "'", "\\", "\n", "\t", ",", "😀", "{", "%", "\r", "\u{7f}"];
    (0..rng.usize(0..20)).map(|_| LETTERS[rng.usize(0..LETTERS.len())]).collect()
}

fn texts(rng: &mut Rng) -> Vec<Option<String>> {
    let edges = ["", " ", "null", "NULL", "\\N", "a\u{0}b", "é😀", "\"'\\\r\n\t,;", "0001", "1e3", "-0", "{\"a\":1}"];
    let mut values: Vec<Option<String>> = edges.into_iter().map(|text| Some(text.to_owned())).collect();
    values.extend((0..RANDOM).map(|_| Some(text(rng))));
    values.push(None);
    values
}

fn bytes(rng: &mut Rng) -> Vec<Option<Vec<u8>>> {
    let mut values = vec![Some(vec![]), Some(vec![0]), Some(vec![255, 0, 254]), Some(b"\\x00".to_vec())];
    values.extend((0..RANDOM).map(|_| Some((0..rng.usize(0..40)).map(|_| rng.u8(..)).collect())));
    values.push(None);
    values
}

/// Values of so many bytes each.
fn fixed(values: Vec<Option<Vec<u8>>>, width: i32) -> ArrayRef {
    match FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), width) {
        Ok(array) => Arc::new(array),
        Err(error) => panic!("{error}"),
    }
}

fn extension(extension: Extension, values: Vec<Option<Vec<u8>>>) -> (ColumnType, ArrayRef) {
    let array: ArrayRef = match extension.storage() {
        DataType::FixedSizeBinary(width) => fixed(values, width),
        _ => Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>()),
    };
    (ColumnType::of(extension), array)
}

fn some(texts: &[&str]) -> Vec<Option<Vec<u8>>> {
    let mut values: Vec<Option<Vec<u8>>> = texts.iter().map(|text| Some(text.as_bytes().to_vec())).collect();
    values.push(None);
    values
}

/// A field of values within others.
fn inner(name: &str, kind: &ColumnType) -> FieldRef {
    let metadata = kind.extension.map(Extension::metadata).unwrap_or_default();
    Arc::new(Field::new(name, kind.data_type.clone(), true).with_metadata(metadata))
}

/// An array of a type that tells all about itself.
fn plain<A: Array + 'static>(array: Result<A, arrow::error::ArrowError>) -> (ColumnType, ArrayRef) {
    match array {
        Ok(array) => (ColumnType::plain(array.data_type().clone()), Arc::new(array)),
        Err(error) => panic!("{error}"),
    }
}

/// Lists of values, one of them empty and one missing.
fn list(kind: &ColumnType, values: &ArrayRef) -> (ColumnType, ArrayRef) {
    let length = values.len();
    let offsets = OffsetBuffer::from_lengths([1, 0, length - 1, 0]);
    let nulls = vec![true, true, true, false].into();
    plain(ListArray::try_new(inner("item", kind), offsets, Arc::clone(values), Some(nulls)))
}

/// Lists in the layouts that few programs make, of five values. The views have them in another order, some twice.
fn seldom_lists(kind: &ColumnType, values: &ArrayRef) -> Vec<(ColumnType, ArrayRef)> {
    let item = || inner("item", kind);
    let nulls = || Some(vec![true, true, true, false].into());
    let lengths = || OffsetBuffer::from_lengths([2, 0, 3, 0]);
    let pairs = || Some(vec![true, false].into());
    vec![
        plain(LargeListArray::try_new(item(), lengths(), Arc::clone(values), nulls())),
        plain(FixedSizeListArray::try_new(item(), 2, values.slice(0, 4), pairs())),
        plain(ListViewArray::try_new(
            item(),
            vec![3, 0, 1, 0].into(),
            vec![2, 0, 3, 0].into(),
            Arc::clone(values),
            nulls(),
        )),
        plain(LargeListViewArray::try_new(
            item(),
            vec![3, 0, 1, 0].into(),
            vec![2, 0, 3, 0].into(),
            Arc::clone(values),
            nulls(),
        )),
    ]
}

fn structure() -> StructArray {
    let fields = Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), None])),
        Arc::new(StringArray::from(vec![Some("x"), Some("é\"\n\0"), None, None])),
    ];
    match StructArray::try_new(fields, arrays, Some(vec![true, true, true, false].into())) {
        Ok(array) => array,
        Err(error) => panic!("{error}"),
    }
}

/// Structs of values of these types, which have the same length.
fn structs(members: &[(&str, &(ColumnType, ArrayRef))]) -> (ColumnType, ArrayRef) {
    let fields: Fields = members.iter().map(|(name, (kind, _))| inner(name, kind)).collect();
    let arrays = members.iter().map(|(_, (_, values))| Arc::clone(values)).collect();
    plain(StructArray::try_new(fields, arrays, Some(vec![true, true, true, false].into())))
}

/// Maps of three entries.
fn map(keys: ArrayRef, kind: &ColumnType, values: ArrayRef) -> (ColumnType, ArrayRef) {
    let fields =
        Fields::from(vec![Arc::new(Field::new("keys", keys.data_type().clone(), false)), inner("values", kind)]);
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
    let nulls = vec![true, true, true, false].into();
    plain(MapArray::try_new(field, OffsetBuffer::from_lengths([2, 0, 1, 0]), entries, Some(nulls), false))
}

/// Values of every type, the last of each missing. The same for the same seed.
pub fn samples(seed: u64) -> Vec<(ColumnType, ArrayRef)> {
    let rng = &mut Rng::with_seed(seed);
    let mut all: Vec<(ColumnType, ArrayRef)> = Vec::new();
    let mut add = |array: ArrayRef| all.push((ColumnType::plain(array.data_type().clone()), array));
    macro_rules! integer {
        ($($array:ty, $type:ty);*) => {$(
            let values = integers(rng, &[0, 1, <$type>::MIN, <$type>::MAX], |rng| rng.u64(..) as $type);
            add(Arc::new(<$array>::from(values)));
        )*};
    }
    add(Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])));
    integer!(
        Int8Array, i8; Int16Array, i16; Int32Array, i32; Int64Array, i64;
        UInt8Array, u8; UInt16Array, u16; UInt32Array, u32; UInt64Array, u64
    );
    macro_rules! float {
        ($($array:ty, $type:ident);*) => {$(
            let edges = [
                0.0, -0.0, 0.1, $type::MIN, $type::MAX, $type::MIN_POSITIVE, $type::EPSILON, $type::from_bits(1),
                $type::NAN, $type::INFINITY, $type::NEG_INFINITY,
            ];
            let values = integers(rng, &edges, |rng| {
                let value = $type::from_bits(rng.u64(..) as _);
                if value.is_finite() { value } else { 1.5 }
            });
            add(Arc::new(<$array>::from(values)));
        )*};
    }
    float!(Float32Array, f32; Float64Array, f64);
    let digits = 10_i128.pow(38) - 1;
    let decimals = integers(rng, &[0, 1, -1, digits, -digits], |rng| rng.i128(-digits..=digits));
    for scale in [0, 9, 38] {
        match Decimal128Array::from(decimals.clone()).with_precision_and_scale(38, scale) {
            Ok(array) => add(Arc::new(array)),
            Err(error) => panic!("{error}"),
        }
    }
    let wide = |number: i128| i256::from_i128(number).wrapping_mul(i256::from_i128(digits));
    let wides = decimals.iter().map(|number| number.map(wide)).collect::<Decimal256Array>();
    match wides.with_precision_and_scale(76, 20) {
        Ok(array) => add(Arc::new(array)),
        Err(error) => panic!("{error}"),
    }
    let days = integers(rng, &[0, -1, DAYS[0] as i32, DAYS[1] as i32], |rng| rng.i32(DAYS[0] as i32..=DAYS[1] as i32));
    add(Arc::new(Date64Array::from_iter(days.iter().map(|day| day.map(|day| i64::from(day) * DAY * 1000)))));
    add(Arc::new(Date32Array::from(days)));
    add(Arc::new(Time32SecondArray::from(integers(rng, &[0, 86_399], |rng| rng.i32(0..86_400)))));
    add(Arc::new(Time32MillisecondArray::from(integers(rng, &[0, 86_399_999], |rng| rng.i32(0..86_400_000)))));
    add(Arc::new(Time64MicrosecondArray::from(integers(rng, &[0, 86_399_999_999], |rng| rng.i64(0..86_400_000_000)))));
    let day = 86_400_000_000_000;
    add(Arc::new(Time64NanosecondArray::from(integers(rng, &[0, 1, day - 1], |rng| rng.i64(0..day)))));
    macro_rules! timestamp {
        ($($array:ty, $per_second:expr);*) => {$(
            let values = times(rng, $per_second);
            add(Arc::new(<$array>::from(values.clone())));
            add(Arc::new(<$array>::from(values).with_timezone("UTC")));
        )*};
    }
    timestamp!(
        TimestampSecondArray, 1; TimestampMillisecondArray, 1000; TimestampMicrosecondArray, 1_000_000;
        TimestampNanosecondArray, 1_000_000_000
    );
    macro_rules! duration {
        ($($array:ty, $per_second:expr);*) => {$(
            let most = 100_000 * DAY * $per_second;
            add(Arc::new(<$array>::from(integers(rng, &[0, 1, -1, most], |rng| rng.i64(-most..most)))));
        )*};
    }
    duration!(
        DurationSecondArray, 1; DurationMillisecondArray, 1000; DurationMicrosecondArray, 1_000_000;
        DurationNanosecondArray, 1_000_000_000
    );
    add(Arc::new(IntervalYearMonthArray::from(integers(rng, &[0, 13, -13], |rng| rng.i32(-120_000..120_000)))));
    add(Arc::new(IntervalDayTimeArray::from(integers(
        rng,
        &[IntervalDayTime::ZERO, IntervalDayTime::new(1, -1)],
        |rng| IntervalDayTime::new(rng.i32(-100_000..100_000), rng.i32(-86_400_000..86_400_000)),
    ))));
    add(Arc::new(IntervalMonthDayNanoArray::from(integers(
        rng,
        &[IntervalMonthDayNano::ZERO, IntervalMonthDayNano::new(1, -1, 1)],
        |rng| IntervalMonthDayNano::new(rng.i32(-1200..1200), rng.i32(-1000..1000), rng.i64(-day..day)),
    ))));
    let strings = texts(rng);
    add(Arc::new(strings.iter().map(Option::as_deref).collect::<StringArray>()));
    add(Arc::new(strings.iter().map(Option::as_deref).collect::<LargeStringArray>()));
    let binary = bytes(rng);
    add(Arc::new(binary.iter().map(Option::as_deref).collect::<BinaryArray>()));
    add(Arc::new(binary.iter().map(Option::as_deref).collect::<LargeBinaryArray>()));
    add(Arc::new(structure()));
    // Those that no connector here makes, but programs before Headwater may.
    let halves = [0.0, -0.0, 0.1, -65504.0, 65504.0, 6e-8, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let halves: Float32Array = halves.into_iter().map(Some).chain([None]).collect();
    match cast(&halves, &DataType::Float16) {
        Ok(array) => add(array),
        Err(error) => panic!("{error}"),
    }
    add(Arc::new(strings.iter().map(Option::as_deref).collect::<StringViewArray>()));
    add(Arc::new(binary.iter().map(Option::as_deref).collect::<BinaryViewArray>()));
    add(fixed(vec![Some(vec![0, 1, 2, 255]), Some(vec![255; 4]), Some(b"\\x00".to_vec()), None], 4));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)]));
    let number = ColumnType::plain(DataType::Int64);
    all.push(map(Arc::new(StringArray::from(vec!["a", "b\0", "é"])), &number, numbers));

    let uuids = vec![Some(vec![0; 16]), Some(vec![255; 16]), Some((0..16).map(|_| rng.u8(..)).collect()), None];
    all.push(extension(Extension::Uuid, uuids));
    let json = some(&[
        "{}",
        "[]",
        "null",
        "true",
        "1.50",
        "\"é\"",
        "{\"b\": 1, \"a\": [1,\n null, \"x\"]}",
        "12345678901234567890123",
        "{\"a\":\"\\u0000\"}",
        "\"\\\\u0000\"",
    ]);
    all.push(extension(Extension::Json, json));
    all.push(extension(
        Extension::Inet,
        some(&["10.0.0.0/16", "192.168.0.1/24", "::1/128", "2001:db8::/32", "0.0.0.0/0"]),
    ));
    let macs = vec![Some(vec![10, 27, 44, 61, 78, 95]), Some(vec![0; 6]), Some(vec![1, 2, 3, 4, 5, 6, 7, 8]), None];
    all.push(extension(Extension::Mac, macs));
    let lists: Vec<_> = all
        .iter()
        .filter(|(kind, _)| !kind.data_type.is_nested() && kind.extension != Some(Extension::Json))
        .map(|(kind, values)| list(kind, values))
        .collect();
    all.extend(lists);
    let structures: ArrayRef = Arc::new(structure());
    all.push(list(&ColumnType::plain(structures.data_type().clone()), &structures));
    let five = Int64Array::from(vec![Some(i64::MAX), None, Some(-1), Some(0), Some(i64::MIN)]);
    all.extend(seldom_lists(&number, &(Arc::new(five) as ArrayRef)));
    // What is an extension's, or what targets have no type for, within others.
    let uuid = |bytes: [Option<u8>; 5]| {
        extension(Extension::Uuid, bytes.map(|byte| byte.map(|byte| vec![byte; 16])).into_iter().collect())
    };
    let uuids = uuid([Some(0), None, Some(1), Some(128), Some(255)]);
    all.extend(seldom_lists(&uuids.0, &uuids.1));
    all.push(map(Arc::new(Int64Array::from(vec![i64::MIN, 0, 7])), &uuids.0, uuids.1.slice(0, 3)));
    let nets = extension(Extension::Inet, some(&["10.0.0.0/16", "::1/128", "0.0.0.0/0"]));
    let macs = extension(Extension::Mac, vec![Some(vec![10, 27, 44, 61, 78, 95]), None, Some(vec![0; 6]), None]);
    let times = TimestampSecondArray::from(vec![Some(0), None, Some(-1), None]);
    let times = (ColumnType::plain(times.data_type().clone()), Arc::new(times) as ArrayRef);
    let uuids = (uuids.0, uuids.1.slice(0, 4));
    all.push(structs(&[("uuid", &uuids), ("inet", &nets), ("mac", &macs), ("time", &times)]));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values() {
        let (one, two) = (samples(7), samples(7));
        assert!(one.len() > 80 && one.iter().zip(&two).all(|(one, two)| *one.1 == *two.1));
        assert!(samples(8).iter().zip(&two).any(|(one, two)| *one.1 != *two.1));
    }
}
