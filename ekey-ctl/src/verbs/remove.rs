//! `remove KEY`: makes the daemon release a key.

use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::json;

use crate::cli::Remove;
use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::which_key;

pub(crate) fn run(socket: &Path, args: &Remove) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let key = which_key::named(&mut client, args.key.as_deref())?;
    client.request(&Command::RemoveEntropyKey(key.clone()))?;
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "removed": key }))?;
    } else {
        paint::print(&[Line::plain(&format!("The daemon released key {key}."))])?;
    }
    Ok(0)
}
