//! Amazon ec2 as tables.
