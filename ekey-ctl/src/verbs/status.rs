//! `status`: everything on one screen.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::{Client, Status};

use crate::cli::Json;
use crate::problem::Problem;
use crate::render::{paint, screen};

pub(crate) fn run(socket: &Path, args: Json) -> Result<u8, Problem> {
    let json = Client::connect(socket)?.status_json()?;
    let status = Status::from_json(&json).map_err(ekey_control::ClientError::from)?;
    if args.json {
        // The daemon's own line, so that what a later daemon adds is not lost.
        writeln!(io::stdout(), "{json}")?;
    } else {
        paint::print(&screen::lines(&status))?;
    }
    Ok(exit_code(&status))
}

fn exit_code(status: &Status) -> u8 {
    match status.running() {
        0 => 2,
        running if running < status.keys.len() => 1,
        _ => 0,
    }
}
