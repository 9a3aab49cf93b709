pub use crate::types::_thing::Thing;
pub use crate::types::_option::Option;
pub use crate::types::_filter::Filter;
pub use crate::types::_kind::Kind;
pub use crate::types::{_tag::Tag, _tree::Tree};
