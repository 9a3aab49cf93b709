//! `headwater`: open data movement in one binary.

use std::process::ExitCode;

use headwater::builtin::Registry;
use headwater::cli;

fn main() -> ExitCode {
    ExitCode::from(cli::main(std::env::args_os(), &Registry::builtin()))
}
