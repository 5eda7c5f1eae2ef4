//! `config convert`: converts the original's `ekeyd.conf` to this daemon's configuration, on standard output.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use ekey_control::OriginalConfig;

use crate::cli::Convert;
use crate::problem::Problem;
use crate::render::toml;

/// The largest configuration, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// How many mistakes to show.
const MOST_MISTAKES: usize = 100;
/// How many characters of a mistake to show: some come from the file.
const MOST_SHOWN: usize = 400;

pub(crate) fn convert(args: &Convert) -> Result<u8, Problem> {
    let unreadable = |source| Problem::Unreadable { path: args.file.clone(), source };
    let text = if args.file == Path::new("-") {
        bounded(io::stdin().lock())
    } else {
        File::open(&args.file).and_then(bounded)
    };
    let text = text.map_err(unreadable)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(unreadable(io::Error::other("larger than 1 MiB, not a configuration")));
    }
    let (config, mistakes) = OriginalConfig::read(&text);
    if !mistakes.is_empty() {
        let name = args.file.display();
        let shown = |what: &str| what.chars().take(MOST_SHOWN).collect::<String>();
        let lines = mistakes.iter().map(|at| format!("{name}:{}:{}: {}", at.line, at.column, shown(&at.what)));
        let mut lines: Vec<String> = lines.take(MOST_MISTAKES).collect();
        if let Some(more @ 1..) = mistakes.len().checked_sub(MOST_MISTAKES) {
            lines.push(format!("and {more} more mistakes"));
        }
        return Err(Problem::Mistakes(lines));
    }
    io::stdout().write_all(toml::of_original(&config, &args.file).as_bytes())?;
    Ok(0)
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut text)?;
    Ok(text)
}
