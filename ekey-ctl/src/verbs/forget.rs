//! `forget`: makes the daemon wipe all that it holds, and begin new sessions.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::json;

use crate::cli::Json;
use crate::problem::Problem;

pub(crate) fn run(socket: &Path, args: Json) -> Result<u8, Problem> {
    let answer = Client::connect(socket)?.request(&Command::Forget)?;
    if args.json {
        let wiped = answer.text.split(' ').next().and_then(|count| count.parse::<u64>().ok());
        writeln!(io::stdout(), "{}", json!({ "wiped_bytes": wiped }))?;
        return Ok(0);
    }
    writeln!(io::stdout(), "{}; the keys begin new sessions.", answer.text)?;
    Ok(0)
}
