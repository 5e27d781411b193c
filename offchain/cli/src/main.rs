//! The `cocoon` command; everything is in the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    cocoon_cli::main(std::env::args_os())
}
