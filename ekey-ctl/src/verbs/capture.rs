//! `capture`: writes verified bytes to a new file.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use ekey_control::{Client, Status, advice, amount};
use serde_json::json;

use crate::cli::Capture;
use crate::egd::Source;
use crate::new_file::{NewFile, Readers};
use crate::problem::Problem;
use crate::render::paint::{Line, Tone};
use crate::render::progress::Progress;
use ekey_control::glance::NOT_RANDOM;

pub(crate) fn run(socket: &Path, args: &Capture) -> Result<u8, Problem> {
    let mut source = Source::connect(socket, args.timeout)?;
    let mut target = NewFile::create(&args.file, Readers::Owner, args.force.force)?;
    let mut progress = Progress::of(args.bytes);
    let started = Instant::now();
    let come = source.read(args.bytes, |bytes| {
        target.write(bytes)?;
        progress.advance(bytes.len() as u64);
        Ok(())
    });
    progress.end();
    let come = come?;
    target.finish()?;
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
