//! `remove KEY`: makes the daemon release a key.

use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::json;

use crate::cli::Remove;
use crate::problem::Problem;
use crate::render::paint::{self, Line};

pub(crate) fn run(socket: &Path, args: &Remove) -> Result<u8, Problem> {
    Client::connect(socket)?.request(&Command::RemoveEntropyKey(args.key.clone()))?;
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "removed": args.key }))?;
    } else {
        paint::print(&[Line::plain(&format!("The daemon released key {}.", args.key))])?;
    }
    Ok(0)
}
