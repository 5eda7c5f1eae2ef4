//! `capture`: writes verified bytes to a new file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use ekey_control::{Client, Status, advice, amount};
use serde_json::json;

use crate::cli::Capture;
use crate::egd::Source;
use crate::problem::Problem;
use crate::render::paint::{Line, Tone};
use crate::render::progress::Progress;
use ekey_control::glance::NOT_RANDOM;

pub(crate) fn run(socket: &Path, args: &Capture) -> Result<u8, Problem> {
    let mut source = Source::connect(socket, args.timeout)?;
    let mut target: Box<dyn Write> = match create(&args.file)? {
        Some(file) => Box::new(file),
        None => Box::new(io::stdout().lock()),
    };
    let unwritten = |source| Problem::Unwritten { path: args.file.clone(), source };
    let mut progress = Progress::of(args.bytes);
    let started = Instant::now();
    let come = source.read(args.bytes, |bytes| {
        target.write_all(bytes).map_err(unwritten)?;
        progress.advance(bytes.len() as u64);
        Ok(())
    });
    progress.end();
    target.flush().map_err(unwritten)?;
    let come = come?;
    // Standard output may hold the captured bytes.
    let mut out = io::stderr();
    let (complete, seconds) = (come == args.bytes, started.elapsed().as_secs_f64());
    if args.json.json {
        let file = args.file.display().to_string();
        let outcome = json!({
            "file": file, "bytes": come, "complete": complete, "seconds": seconds, "not_random": source.status.not_random,
        });
        writeln!(out, "{outcome}")?;
    } else {
        // The advice must fit the present state, not the one at the start.
        let now = Client::connect(socket).and_then(|mut daemon| daemon.status());
        for line in words(args, &now.unwrap_or(source.status), come, seconds) {
            writeln!(out, "{}", line.text)?;
        }
    }
    Ok(u8::from(!complete))
}

fn words(args: &Capture, status: &Status, come: u64, seconds: f64) -> Vec<Line> {
    let (came, file) = (amount::bytes(come), args.file.display());
    let mut lines = if come == args.bytes {
        let rate = amount::rate(come as f64 / seconds);
        vec![Line::new(Tone::Good, &format!("{file}: {come} bytes in {}, {rate}.", amount::waited(seconds)))]
    } else {
        let (wanted, patience) = (amount::bytes(args.bytes), amount::waited(args.timeout.as_secs_f64()));
        let mut lines =
            vec![Line::bad(&format!("{file}: gave up at {came} of {wanted}, nothing came for {patience}."))];
        lines.extend(advice::advice(status).iter().map(|text| Line::new(Tone::Warn, text)));
        lines
    };
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

/// Creates the file with mode 0600. Returns `None` for standard output.
pub(super) fn create(path: &Path) -> Result<Option<File>, Problem> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(Some).map_err(|source| Problem::Unmade { path: path.to_owned(), source })
}
