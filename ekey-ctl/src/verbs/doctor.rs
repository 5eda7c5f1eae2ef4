//! `doctor`: checks everything that may keep a key from working.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::Client;
use serde_json::json;

use crate::cli::Doctor;
use crate::doctor::{self, Machine, Verdict};
use crate::problem::Problem;
use crate::render::{self, paint};

pub(crate) fn run(socket: &Path, args: &Doctor) -> Result<u8, Problem> {
    let status = Client::connect(socket).and_then(|mut client| client.status());
    let checks = doctor::examine(&Machine::at(&args.root), &status);
    let well = checks.iter().all(|check| check.verdict != Verdict::Todo);
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "ok": well, "checks": checks }))?;
    } else {
        paint::print(&render::doctor::lines(&checks))?;
    }
    Ok(u8::from(!well))
}
