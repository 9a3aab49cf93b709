//! Tests of changes of whole columns and of what is nested in Arrow's own types.

#![allow(clippy::unwrap_used)]

use headwater_sdk::arrow::array::{
    Decimal128Array, FixedSizeBinaryArray, GenericListArray, Int64Array, Int64Builder, LargeStringArray, ListBuilder,
    MapBuilder, StringArray, StringBuilder, StringViewArray, TimestampMicrosecondArray,
};
use headwater_sdk::arrow::compute::cast;
use secrecy::SecretString;

use super::super::path::Target;
use super::*;

fn hasher() -> Hasher {
    Hasher::new(&SecretString::from("0123456789abcdef")).unwrap()
}

fn hex(text: &str) -> String {
    let mut out = Vec::new();
    hasher().hex(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn field(kind: DataType, extension: Option<Extension>) -> FieldRef {
    let metadata = extension.map(Extension::metadata).unwrap_or_default();
    Arc::new(Field::new("column", kind, false).with_metadata(metadata))
}

fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
    array.as_string::<i32>().iter().collect()
}

fn within(field: &FieldRef, path: &str, act: Act) -> Result<Change, Nowhere> {
    Change::within(field, &Target::parse(&format!("column{path}")).unwrap().steps, act)
}

#[test]
fn text_says_that_it_is_redacted() {
    let arrays: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec![Some("a"), None, Some("")])),
        Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("")])),
        Arc::new(StringViewArray::from(vec![Some("a"), None, Some("")])),
    ];
    for array in arrays {
        let change = Change::whole(&field(array.data_type().clone(), None), Act::Redact);
        assert_eq!(change.to, change.from, "the type stays, and what was there is there");
        let redacted = change.apply(&array, None).unwrap();
        assert_eq!(redacted.data_type(), array.data_type());
        let shown = cast(&redacted, &DataType::Utf8).unwrap();
        assert_eq!(texts(&shown), [Some(REDACTED), None, Some(REDACTED)]);
    }
    let json: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"{}"[..]), None]));
    let change = Change::whole(&field(DataType::Binary, Some(Extension::Json)), Act::Redact);
    let redacted = change.apply(&json, None).unwrap();
    assert_eq!(redacted.as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b"\"[redacted]\""[..]), None]);
}

#[test]
fn other_values_are_missing_where_they_are_redacted() {
    let uuid = FixedSizeBinaryArray::try_from_iter([[1_u8; 16]].into_iter()).unwrap();
    let arrays: [(ArrayRef, Option<Extension>); 4] = [
        (Arc::new(Int64Array::from(vec![1])), None),
        (Arc::new(BinaryArray::from(vec![&b"x"[..]])), None),
        (Arc::new(BinaryArray::from(vec![&b"::1/128"[..]])), Some(Extension::Inet)),
        (Arc::new(uuid), Some(Extension::Uuid)),
    ];
    for (array, extension) in arrays {
        let change = Change::whole(&field(array.data_type().clone(), extension), Act::Redact);
        assert!(change.to.is_nullable());
        let redacted = change.apply(&array, None).unwrap();
        assert_eq!((redacted.null_count(), redacted.data_type()), (1, array.data_type()));
    }
}

#[test]
fn any_type_is_hashed_by_its_text() {
    let uuid = FixedSizeBinaryArray::try_from_iter([[0_u8; 16]].into_iter()).unwrap();
    let decimal = Decimal128Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap();
    let time = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
    let arrays: [(ArrayRef, Option<Extension>, &str); 7] = [
        (Arc::new(StringArray::from(vec!["a@b.c"])), None, "a@b.c"),
        (Arc::new(LargeStringArray::from(vec!["a@b.c"])), None, "a@b.c"),
        (Arc::new(Int64Array::from(vec![-5])), None, "-5"),
        (Arc::new(decimal), None, "1.50"),
        (Arc::new(time), None, "1970-01-01T00:00:00.000000Z"),
        (Arc::new(uuid), Some(Extension::Uuid), "00000000-0000-0000-0000-000000000000"),
        (Arc::new(BinaryArray::from(vec![&b"{\"a\":1}"[..]])), Some(Extension::Json), "{\"a\":1}"),
    ];
    for (array, extension, text) in arrays {
        let change = Change::whole(&field(array.data_type().clone(), extension), Act::Hash);
        assert_eq!((change.to.data_type(), Extension::of(&change.to)), (&DataType::Utf8, None));
        assert!(!change.to.is_nullable(), "what was there is there");
        assert_eq!(texts(&change.apply(&array, Some(&hasher())).unwrap()), [Some(hex(text).as_str())], "{text}");
    }
    let some: ArrayRef = Arc::new(StringArray::from(vec![None, Some(""), None]));
    let change = Change::whole(&field(DataType::Utf8, None), Act::Hash);
    assert_eq!(texts(&change.apply(&some, Some(&hasher())).unwrap()), [None, Some(hex("").as_str()), None]);
    // Of a part of a batch, only that part.
    let slice = StringArray::from(vec!["a", "b", "c"]).slice(1, 1);
    let slice: ArrayRef = Arc::new(slice);
    assert_eq!(texts(&change.apply(&slice, Some(&hasher())).unwrap()), [Some(hex("b").as_str())]);
}

#[test]
fn a_whole_json_value_is_hashed_as_within_a_path() {
    let values: [&[u8]; 6] = [br#""a@b.c""#, br#" "\u0061@b.c" "#, b"null", b" null ", b"5", b"no json"];
    let array: ArrayRef = Arc::new(BinaryArray::from(values.to_vec()));
    let of = |nullable: bool| {
        let kind = ColumnType::of(Extension::Json);
        let field = Field::new("x", kind.data_type, nullable).with_metadata(Extension::Json.metadata());
        texts(&Change::whole(&Arc::new(field), Act::Hash).apply(&array, Some(&hasher())).unwrap())
            .into_iter()
            .map(|text| text.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let some = |text: &str| Some(hex(text));
    assert_eq!(of(true), [some("a@b.c"), some("a@b.c"), None, None, some("5"), some("no json")]);
    assert_eq!(of(false)[2..4], [some("null"), some(" null ")], "where nothing can be missing");
    let mut rewrite = Rewrite::default();
    rewrite.add(Vec::new(), Act::Hash);
    let mut out = Vec::new();
    rewrite.apply(values[0], Some(&hasher()), &mut Vec::new(), &mut out);
    assert_eq!(out, format!("\"{}\"", hex("a@b.c")).into_bytes());
}

/// `list<struct<name: utf8, size: int64>>` of two lists and a missing one.
fn parts() -> ArrayRef {
    let fields =
        Fields::from(vec![Field::new("name", DataType::Utf8, false), Field::new("size", DataType::Int64, false)]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let sizes: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let items = StructArray::new(fields.clone(), vec![names, sizes], None);
    let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
    let nulls = NullBuffer::from(vec![true, true, false]);
    Arc::new(GenericListArray::<i32>::new(item, OffsetBuffer::from_lengths([2, 1, 0]), Arc::new(items), Some(nulls)))
}

#[test]
fn fields_of_structs_in_lists_are_changed() {
    let array = parts();
    let field = field(array.data_type().clone(), None);
    for path in ["[*].name", ".name"] {
        let change = within(&field, path, Act::Redact).unwrap();
        let redacted = change.apply(&array, None).unwrap();
        assert_eq!(redacted.data_type(), change.to.data_type());
        let items = redacted.as_list::<i32>();
        assert_eq!((items.offsets().as_ref(), items.null_count()), (&[0, 2, 3, 3][..], 1));
        assert_eq!(texts(items.values().as_struct().column(0)), [Some(REDACTED); 3]);
        assert_eq!(items.values().as_struct().column(1).as_ref(), &Int64Array::from(vec![1, 2, 3]));
    }
    let one = array.slice(1, 1);
    let item = plain::list_item(one.data_type()).unwrap();
    for layout in
        [DataType::LargeList, |item| DataType::FixedSizeList(item, 1), DataType::ListView, DataType::LargeListView]
    {
        let array = cast(&one, &layout(Arc::clone(item))).unwrap();
        let change = within(&self::field(array.data_type().clone(), None), ".name", Act::Redact).unwrap();
        let redacted = change.apply(&array, None).unwrap();
        assert_eq!(redacted.data_type(), change.to.data_type());
        let items = plain::usual_list(&redacted).unwrap().value(0);
        assert_eq!(texts(items.as_struct().column(0)), [Some(REDACTED)], "{}", array.data_type());
    }
    let change = within(&field, "[*].size", Act::Redact).unwrap();
    let redacted = change.apply(&array, None).unwrap();
    assert_eq!(redacted.as_list::<i32>().values().as_struct().column(1).null_count(), 3);
    let change = within(&field, "[*].s*", Act::Hash).unwrap();
    let hashed = change.apply(&array, Some(&hasher())).unwrap();
    assert_eq!(texts(hashed.as_list::<i32>().values().as_struct().column(1))[2], Some(hex("3").as_str()));
    // A part of the array, as it comes from a filter or a slice.
    let slice = array.slice(1, 2);
    let redacted = within(&field, "[*].name", Act::Redact).unwrap().apply(&slice, None).unwrap();
    assert_eq!(redacted.as_list::<i32>().value(0).as_struct().column(0).len(), 1);
    for (path, message, nearest) in [
        ("[*].nmae", "there is no field `nmae`", Some("name")),
        ("[*].name.x", "there is nothing within a value of type utf8", None),
        ("[1].name", "of a list that is no JSON, only all items can be reached: `[*]`", None),
        ("..name", "in a struct, name its fields: `.field`", None),
    ] {
        let wrong = within(&field, path, Act::Redact).unwrap_err();
        assert_eq!((wrong.message.as_str(), wrong.nearest.as_deref()), (message, nearest), "{path}");
    }
}

#[test]
fn items_and_values_of_maps_are_changed() {
    let mut builder = ListBuilder::new(Int64Builder::new());
    builder.append_value([Some(1), None]);
    let list: ArrayRef = Arc::new(builder.finish());
    let change = within(&field(list.data_type().clone(), None), "[*]", Act::Hash).unwrap();
    let hashed = change.apply(&list, Some(&hasher())).unwrap();
    assert_eq!(texts(hashed.as_list::<i32>().values()), [Some(hex("1").as_str()), None]);

    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    builder.keys().append_value("k");
    builder.values().append_value("v");
    builder.append(true).unwrap();
    let map: ArrayRef = Arc::new(builder.finish());
    let of_map = field(map.data_type().clone(), None);
    let change = within(&of_map, ".*", Act::Redact).unwrap();
    let redacted = change.apply(&map, None).unwrap();
    assert_eq!(redacted.data_type(), change.to.data_type());
    assert_eq!(texts(redacted.as_map().values()), [Some(REDACTED)]);
    assert_eq!(texts(redacted.as_map().keys()), [Some("k")]);
    assert!(within(&of_map, ".k", Act::Redact).is_err(), "a single key cannot be told from the others");
}

#[test]
fn json_is_rewritten_in_one_pass() {
    let json: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&br#"{"a":1,"b":2}"#[..]), None, Some(&b"[]"[..])]));
    let field = field(DataType::Binary, Some(Extension::Json));
    let mut change = within(&field, ".a", Act::Redact).unwrap();
    assert!(change.add(&Target::parse("column.b").unwrap().steps, Act::Hash));
    let changed = change.apply(&json, Some(&hasher())).unwrap();
    let expected = format!(r#"{{"a":"[redacted]","b":"{}"}}"#, hex("2"));
    assert_eq!(
        changed.as_binary::<i32>().iter().collect::<Vec<_>>(),
        [Some(expected.as_bytes()), None, Some(&b"[]"[..])]
    );
    assert_eq!(change.to, field);
}
