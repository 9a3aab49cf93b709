/// <p>A <code>thing</code>.</p>
#[non_exhaustive]
pub struct Thing {
    /// <p>The ARN of the thing.</p>
    pub thing_arn: ::std::option::Option<::std::string::String>,
    pub r#type: ::std::option::Option<crate::types::Kind>,
    pub kinds: ::std::option::Option<::std::vec::Vec<crate::types::Kind>>,
    pub sse_algorithm: ::std::string::String,
    pub secret: ::std::option::Option<::std::string::String>,
    pub made_at: ::std::option::Option<::aws_smithy_types::DateTime>,
    pub times: ::std::option::Option<::std::vec::Vec<::aws_smithy_types::DateTime>>,
    pub picture: ::std::option::Option<::aws_smithy_types::Blob>,
    pub anything: ::std::option::Option<::aws_smithy_types::Document>,
    pub option: ::std::option::Option<crate::types::Option>,
    pub filter: ::std::option::Option<crate::types::Filter>,
    pub by_kind: ::std::option::Option<::std::collections::HashMap<crate::types::Kind, i32>>,
    pub by_name: ::std::option::Option<::std::collections::HashMap<::std::string::String, crate::types::Option>>,
    pub sparse: ::std::option::Option<::std::vec::Vec<::std::option::Option<::std::string::String>>>,
    pub root: ::std::option::Option<crate::types::Tree>,
    pub body: ::aws_smithy_types::byte_stream::ByteStream,
    pub tag_list: ::std::option::Option<::std::vec::Vec<crate::types::Tag>>,
    _request_id: Option<String>,
}
impl ::std::fmt::Debug for Thing {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        let mut formatter = f.debug_struct("Thing");
        formatter.field("secret", &"*** Sensitive Data Redacted ***");
        formatter.finish()
    }
}
