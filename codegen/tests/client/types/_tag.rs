pub struct Tag {
    pub key: ::std::option::Option<::std::string::String>,
    pub value: ::std::option::Option<::std::string::String>,
}
