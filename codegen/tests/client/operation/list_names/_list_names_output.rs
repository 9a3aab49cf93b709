pub struct ListNamesOutput {
    pub names: ::std::option::Option<::std::vec::Vec<::std::string::String>>,
}
