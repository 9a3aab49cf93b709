//! What every AWS service stands on: accounts, scopes, HTTP, error classes, and the superset of client features.
