//! `shutdown`: stops the daemon and waits until it closes the connection.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::Client;
use serde_json::json;

use crate::cli::Json;
use crate::problem::Problem;

pub(crate) fn run(socket: &Path, args: Json) -> Result<u8, Problem> {
    Client::connect(socket)?.shutdown()?;
    if args.json {
        writeln!(io::stdout(), "{}", json!({ "stopping": socket.display().to_string() }))?;
        return Ok(0);
    }
    writeln!(io::stdout(), "The daemon at {} is stopping.", socket.display())?;
    Ok(0)
}
