//! `test`: runs the daemon's health tests and simple statistics on a file or on bytes from the daemon.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ekey_health::Examination;

use crate::cli::Test;
use crate::egd::Source;
use crate::host;
use crate::new_file::{self, Readers};
use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::render::progress::Progress;
use crate::render::{examination, histogram};
use crate::terminal;
use ekey_control::glance::NOT_RANDOM;
use ekey_control::{Status, amount};

/// How many bytes to take from the daemon: a tenth of a full pool.
const LIVE: u64 = 100_000;

pub(crate) fn run(socket: &Path, args: &Test) -> Result<u8, Problem> {
    let mut examined = Examination::new(args.alpha);
    let (bytes, not_random, origin) = match &args.file {
        Some(file) => {
            let origin = format!("{}, {}", host::name(), file.display());
            (examine_file(file, args.bytes, &mut examined)?, false, origin)
        }
        None => {
            let mut source = Source::connect(socket, args.timeout)?;
            let count = args.bytes.unwrap_or(LIVE);
            writeln!(io::stderr(), "ekey-ctl: {}", announced(count, &source.status))?;
            let mut progress = Progress::of(count);
            let come = source.read(count, |bytes| {
                examined.feed(bytes);
                progress.advance(bytes.len() as u64);
                Ok(())
            });
            progress.end();
            let Status { host, as_of_unix_s, not_random, .. } = &source.status;
            let warning = if *not_random { format!(" · {NOT_RANDOM}") } else { String::new() };
            let moment = amount::moment(*as_of_unix_s);
            (come?, *not_random, format!("{host}, output of the daemon from {moment} on{warning}"))
        }
    };
    let report = examined.report().ok_or(Problem::TooFew(bytes))?;
    if let Some(path) = &args.svg {
        let svg = histogram::svg(&report, &origin);
        new_file::write(path, Readers::All, args.force.force, svg.as_bytes())?;
    }
    if args.json.json {
        writeln!(io::stdout(), "{}", examination::json(&report, not_random))?;
    } else {
        let mut lines = examination::lines(&report, terminal::shows_unicode());
        if not_random {
            lines.push(Line::bad(NOT_RANDOM));
        }
        paint::print(&lines)?;
    }
    Ok(u8::from(!report.is_good()))
}

/// Says what the test takes from others, and for how long at most.
fn announced(count: u64, status: &Status) -> String {
    let rate = status.keys.iter().filter(|key| key.is_serving()).map(|key| key.rate_bytes_per_s).sum::<f64>();
    let missing = count.saturating_sub(status.pool.bytes) as f64;
    let time = match missing {
        _ if missing <= 0.0 => "the pool has them".to_owned(),
        _ if rate < 1.0 => "no key delivers now, so it takes until one does".to_owned(),
        _ => format!("about {} at {}", amount::duration((missing / rate).ceil() as u64), amount::rate(rate)),
    };
    format!("takes {} from the daemon, which no other program gets: {time}", amount::bytes(count))
}

fn examine_file(path: &Path, most: Option<u64>, examined: &mut Examination) -> Result<u64, Problem> {
    let unreadable = |source| Problem::Unreadable { path: path.to_owned(), source };
    let whole: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut part = whole.take(most.unwrap_or(u64::MAX));
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        match part.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(length) => {
                examined.feed(&buffer[..length]);
                bytes += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}
