//! `shutdown`: stops the daemon and waits until it closes the connection.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::Client;

use crate::problem::Problem;

pub(crate) fn run(socket: &Path) -> Result<u8, Problem> {
    Client::connect(socket)?.shutdown()?;
    writeln!(io::stdout(), "The daemon at {} is stopping.", socket.display())?;
    Ok(0)
}
