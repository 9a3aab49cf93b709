pub struct GetThingOutput {
    pub thing: ::std::option::Option<crate::types::Thing>,
    pub others: ::std::option::Option<::std::vec::Vec<crate::types::Tag>>,
    pub spare: ::std::option::Option<::std::vec::Vec<crate::types::Tag>>,
}
