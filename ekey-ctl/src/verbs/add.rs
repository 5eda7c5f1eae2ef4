//! `add PATH`: makes the daemon drive a key.

use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::json;

use crate::cli::Add;
use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::trusted::absolute;

pub(crate) fn run(socket: &Path, args: &Add) -> Result<u8, Problem> {
    // Absolute, because the daemon works in another folder.
    let path = absolute(&args.path);
    // The daemon would drive it, and find out later.
    ekey_link::check(&path)?;
    let path = path.display().to_string();
    let serial = args.serial.map(|serial| serial.to_string());
    let command = Command::AddEntropyKey { path: path.clone(), serial: serial.clone() };
    let answer = Client::connect(socket)?.request(&command)?;
    let number = answer.text.strip_prefix("ID ").and_then(|number| number.parse::<u32>().ok());
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "added": path, "number": number, "serial": serial }))?;
    } else {
        let number = number.map_or_else(String::new, |number| format!(" as key {number}"));
        paint::print(&[Line::plain(&format!("The daemon drives {path}{number}. See `ekey-ctl status`."))])?;
    }
    Ok(0)
}
