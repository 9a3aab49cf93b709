/// <p>A struct that is called like one of Rust's own.</p>
pub struct Option {
    pub value: ::std::option::Option<bool>,
}
