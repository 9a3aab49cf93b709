//! A fast loopback AWS: the server of the benchmarks and of the tests of faults.
//!
//! It answers the way AWS does, on 127.0.0.1, to any SDK whose endpoint is set to it. Signatures are not checked. The
//! account of a request is the one that its access key was issued for by `AssumeRole`; every other key is one of the
//! management account, but for a key of twelve digits, which is a key of the account with that id.
//!
//! The estate is computed and never stored: a row follows from its account, region, kind and index, so a hundred
//! thousand accounts cost no memory, and [`Estate`] knows beforehand how many rows a client has to end up with, and the
//! checksum of their keys.
//!
//! What is imitated, by the names of the references:
//!
//! * Amazon EC2 API Reference, version 2016-11-15, query protocol: `DescribeInstances`, `DescribeVolumes`,
//!   `DescribeVpcs`, `DescribeSnapshots`, `DescribeRegions`; "Error codes for the Amazon EC2 API", "Request throttling".
//! * IAM API Reference, version 2010-05-08: users, groups and roles with what is below them, policies; "Common errors".
//! * AWS STS API Reference, version 2011-06-15: `GetCallerIdentity`, `AssumeRole`.
//! * Amazon S3 API Reference, version 2006-03-01, path style: `ListBuckets` and what can be asked of a bucket;
//!   "Error responses".
//! * AWS Organizations API Reference, version 2016-11-28, JSON 1.1: accounts, the root, organizational units.
//!
//! A list that is not imitated is answered with an empty one (`unknown_empty`).
//!
//! A request passes, in this order: the ceiling of the whole server (`max_rate`), the throttles, the faults, the
//! latency, the answer. The server talks about itself under `/_bench/`: `GET stats`, `POST reset`, `GET config`,
//! `POST config`, `GET expected` (rows by kind, and with `?checksum=users` a checksum).

mod answer;
mod call;
mod config;
mod connection;
mod control;
mod ec2;
mod ec2_rows;
mod errors;
mod estate;
mod faults;
mod handle;
mod iam;
mod iam_rows;
mod kind;
mod latency;
mod organizations;
mod rules;
mod s3;
mod server;
mod stats;
mod sts;
mod text;
mod throttle;

pub use config::{Config, Heavy};
pub use estate::{Estate, key_hash};
pub use kind::{Kind, Place};
pub use rules::{Fault, FaultKind, Latency, Per, Throttle};
pub use server::Server;
pub use stats::{ApiStats, Stats};
