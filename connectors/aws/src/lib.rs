//! The AWS connector: one cargo feature per service.
