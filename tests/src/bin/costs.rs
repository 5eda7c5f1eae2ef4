//! Measures what the programs cost and prints one table, for `tests/costs`: each figure, a reference of the same run,
//! and the bound. Writes it to `costs.md` and `costs.json` in the target folder. Exits with 1 if a figure misses its
//! bound.

use std::process::ExitCode;

use ekey_tests::binaries::target_folder;
use ekey_tests::costs::table::{HEAD, json, markdown};
use ekey_tests::costs::{Row, SUBJECTS, Subject};

const USAGE: &str = "usage: tests/costs [--list] [--only NAME]...  NAME is the beginning of a name that --list shows";

fn main() -> ExitCode {
    let Some(wanted) = wanted() else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    if let Wanted::List = wanted {
        subjects().for_each(|subject| println!("{:20} {}", subject.name, subject.title));
        return ExitCode::SUCCESS;
    }
    // Only the files align the columns.
    print!("{HEAD}");
    let chosen = subjects().filter(|subject| wanted.includes(subject));
    let rows: Vec<Row> = chosen
        .map(|subject| {
            let row = subject.row();
            print!("{}", row.markdown());
            row
        })
        .collect();
    for (name, content) in [("costs.md", markdown(&rows)), ("costs.json", json(&rows))] {
        std::fs::write(target_folder().join(name), content).expect("the target folder can be written");
    }
    println!("\nwritten: {}/costs.md and costs.json", target_folder().display());
    if rows.iter().all(Row::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

enum Wanted {
    All,
    Only(Vec<String>),
    List,
}

impl Wanted {
    fn includes(&self, subject: &Subject) -> bool {
        match self {
            Self::Only(names) => names.iter().any(|name| subject.name.starts_with(name.as_str())),
            Self::All | Self::List => true,
        }
    }
}

/// Returns what the command line asks for; `None` if it is malformed.
fn wanted() -> Option<Wanted> {
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return Some(Wanted::List),
            "--only" => names.push(arguments.next().filter(|name| is_known(name))?),
            _ => return None,
        }
    }
    Some(if names.is_empty() { Wanted::All } else { Wanted::Only(names) })
}

fn is_known(name: &str) -> bool {
    subjects().any(|subject| subject.name.starts_with(name))
}

fn subjects() -> impl Iterator<Item = &'static Subject> {
    SUBJECTS.iter().copied().flatten()
}
