//! Amazon iam as tables.
