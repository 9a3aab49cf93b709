pub struct ListThingsOutput {
    pub next_token: ::std::option::Option<::std::string::String>,
    pub things: ::std::vec::Vec<crate::types::Thing>,
}
