/// <p>A union.</p>
pub enum Filter {
    /// <p>By prefix.</p>
    Prefix(::std::string::String),
    Tag(crate::types::Tag),
    #[non_exhaustive]
    Unknown,
}
