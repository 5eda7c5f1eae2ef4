//! `plot FILE`: draws the recorded history as SVG.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use ekey_control::chart::{self, Caption, Range};
use ekey_control::glance::NOT_RANDOM;
use ekey_control::{Client, Status};

use crate::cli::Plot;
use crate::problem::Problem;

pub(crate) fn run(socket: &Path, args: &Plot) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let (status, history) = (client.status()?, client.history()?);
    let range = args.range.unwrap_or_else(|| Range::usual(&history));
    let (keys, warning) = (keys(&status), status.not_random.then_some(NOT_RANDOM));
    let caption = Caption { host: &status.host, keys: &keys, warning, capacity: status.pool.capacity };
    let sheet = chart::sheet(&history, range, &caption);
    if args.file == Path::new("-") {
        io::stdout().write_all(sheet.as_bytes())?;
        return Ok(0);
    }
    let unwritable = |source| Problem::Unwritable { path: args.file.clone(), source };
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(args.force).create_new(!args.force);
    let mut file = how.open(&args.file).map_err(unwritable)?;
    file.write_all(sheet.as_bytes()).map_err(unwritable)?;
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
