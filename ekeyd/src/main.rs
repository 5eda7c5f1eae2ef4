//! The program `ekeyd`: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    ekeyd::main()
}
