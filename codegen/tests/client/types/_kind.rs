pub enum Kind {
    Large,
    Unknown(crate::primitives::UnknownVariantValue),
}
impl Kind {
    pub fn as_str(&self) -> &str {
        "large"
    }
}
