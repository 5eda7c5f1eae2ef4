//! `list`: prints one line per key in the original's words, from any daemon that speaks EKEYD/1.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::{Client, Command};
use serde::Serialize;

use crate::cli::Json;
use crate::problem::Problem;
use crate::render::{paint, table};

#[derive(Serialize)]
struct Row<'a> {
    number: Option<u32>,
    ok: bool,
    status: &'a str,
    path: &'a str,
    serial: Option<&'a str>,
}

pub(crate) fn run(socket: &Path, args: Json) -> Result<u8, Problem> {
    let answer = Client::connect(socket)?.request(&Command::ListEntropyKeys)?;
    let rows: Vec<Vec<&str>> = answer.lines.iter().map(|line| line.split('\t').collect()).collect();
    if args.json {
        let rows: Vec<Row<'_>> = rows.iter().skip(1).map(|columns| row(columns)).collect();
        writeln!(io::stdout(), "{}", serde_json::to_string(&rows)?)?;
    } else {
        paint::print(&table::lines(&rows))?;
    }
    Ok(0)
}

/// Reads a line of the answer. Its columns: NR, OK, Status, Path, SerialNo.
fn row<'a>(columns: &[&'a str]) -> Row<'a> {
    let column = |index: usize| columns.get(index).copied().unwrap_or_default();
    Row {
        number: column(0).parse().ok(),
        ok: column(1) == "YES",
        status: column(2),
        path: column(3),
        serial: columns.get(4).copied().filter(|serial| !serial.is_empty()),
    }
}
