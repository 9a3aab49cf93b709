pub struct Tree {
    pub left: ::std::option::Option<::std::boxed::Box<crate::types::Tree>>,
}
