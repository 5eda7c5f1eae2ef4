//! `add` and `remove`: which keys the daemon drives.

use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::json;

use crate::cli::{Add, Remove};
use crate::problem::Problem;
use crate::render::paint::{self, Line};

pub(crate) fn add(socket: &Path, args: &Add) -> Result<u8, Problem> {
    // The daemon works in another folder.
    let path = std::path::absolute(&args.path).unwrap_or_else(|_| args.path.clone()).display().to_string();
    let serial = args.serial.map(|serial| serial.to_string());
    let command = Command::AddEntropyKey { path: path.clone(), serial: serial.clone() };
    let answer = Client::connect(socket)?.request(&command)?;
    let number = answer.text.strip_prefix("ID ").and_then(|number| number.parse::<u32>().ok());
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "added": path, "number": number, "serial": serial }))?;
    } else {
        let number = number.map_or_else(String::new, |number| format!(" as key {number}"));
        paint::print(&[Line::plain(&format!("The daemon drives {path}{number}. Look at it with ekey-ctl status"))])?;
    }
    Ok(0)
}

pub(crate) fn remove(socket: &Path, args: &Remove) -> Result<u8, Problem> {
    Client::connect(socket)?.request(&Command::RemoveEntropyKey(args.key.clone()))?;
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "removed": args.key }))?;
    } else {
        paint::print(&[Line::plain(&format!("The daemon has let go of the key {}.", args.key))])?;
    }
    Ok(0)
}
