//! What the derives write: one snapshot per input, the input in its header.

use headwater_codegen::expand;
use proc_macro2::TokenStream;
use syn::DeriveInput;

fn snapshot(name: &str, input: &str, derive: fn(&DeriveInput) -> TokenStream) {
    let parsed: DeriveInput = syn::parse_str(input).expect("the input is Rust");
    let file: syn::File = syn::parse2(derive(&parsed)).expect("the expansion is Rust");
    let mut settings = insta::Settings::clone_current();
    settings.set_description(input);
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, prettyplease::unparse(&file)));
}

#[test]
fn tables() {
    let plain = r#"/// Virtual private clouds.
#[table(name = "aws_ec2_vpcs", of = Vpc, list = client.describe_vpcs(), key = arn)]
pub struct Vpcs {
    #[column(value = scope.arn("ec2", "vpc", &row.vpc_id))]
    arn: Option<String>,
}"#;
    snapshot("table", plain, expand::table);
    let child = r#"/// Rules of each bucket.
#[table(name = "rules", of = Rule, parent = Buckets, key = [bucket_arn, hash], skip = [r#type], ignore = ["NoSuchRule", "Gone"],
        list = home(client, parent).list_rules(), get = client.get_rule().id(&row.value))]
pub struct Rules;"#;
    snapshot("child_table", child, expand::table);
    let columns = r#"/// Buckets.
#[table(name = "buckets", of = Bucket, get = client.get_bucket(), key = name)]
pub struct Buckets {
    /// The bucket's name.
    #[column(rename = "name")]
    bucket_name: String,
    #[column(get = client.get_policy(&row.bucket_name), flatten, prefix = "policy_", ignore = "NoPolicy")]
    policy: Option<Policy>,
    #[column(get = client.get_acl(&row.bucket_name))]
    acl: Option<Acl>,
}"#;
    snapshot("columns", columns, expand::table);
    let own = r#"/// Comics.
#[table(name = "xkcd_comics", list = client.comics(), key = num)]
pub struct Comic {
    /// The comic's number.
    num: i64,
    #[column(value = format!("{}/{}", client.url, row.num))]
    page: String,
}"#;
    snapshot("own_struct", own, expand::table);
}

#[test]
fn records() {
    let record = r#"/// A thing.
#[record(rename_all = "PascalCase")]
pub struct Thing {
    /// The thing's kind.
    pub r#type: Option<Enum<Kind>>,
    #[record(rename = "SSEAlgorithm", sensitive)]
    pub sse_algorithm: String,
}"#;
    snapshot("record", record, expand::record);
    let union = "pub enum Filter { Prefix(String), Tag(Tag), Unknown }";
    snapshot("union", union, expand::record);
}

#[test]
fn mistakes_keep_an_empty_impl_beside_them() {
    let mistaken = r#"#[table(name = "Vpcs", of = Vpc, lst = client.describe_vpcs())]
pub struct Vpcs;"#;
    snapshot("mistakes", mistaken, expand::table);
}
