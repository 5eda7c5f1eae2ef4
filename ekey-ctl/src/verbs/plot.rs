//! `plot FILE`: draws the recorded history as SVG.

use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::chart::{self, Caption, Range};
use ekey_control::glance::NOT_RANDOM;
use ekey_control::{Client, Status};
use serde_json::json;

use crate::cli::Plot;
use crate::new_file::{self, Readers};
use crate::problem::Problem;

pub(crate) fn run(socket: &Path, args: &Plot) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let (status, history) = (client.status()?, client.history()?);
    let range = args.range.unwrap_or_else(|| Range::usual(&history));
    let (keys, warning) = (keys(&status), status.not_random.then_some(NOT_RANDOM));
    let caption = Caption { host: &status.host, keys: &keys, warning, capacity: status.pool.capacity };
    let sheet = chart::sheet(&history, range, &caption);
    new_file::write(&args.file, Readers::All, args.force.force, sheet.as_bytes())?;
    if args.file == Path::new("-") {
        return Ok(0);
    }
    if args.json.json {
        let file = args.file.display().to_string();
        let line = json!({ "file": file, "range": range.word(), "not_random": status.not_random });
        writeln!(io::stdout(), "{line}")?;
        return Ok(0);
    }
    writeln!(io::stdout(), "{}: the {} of {}", args.file.display(), range.words(), socket.display())?;
    Ok(0)
}

/// Says which keys the figures are of.
fn keys(status: &Status) -> String {
    let serials: Vec<&str> = status.keys.iter().filter_map(|key| key.known_serial()).collect();
    match serials.as_slice() {
        [] => "no key".to_owned(),
        [first, rest @ ..] if rest.len() > 2 => format!("{first} and {} more", rest.len()),
        few => few.join(", "),
    }
}
