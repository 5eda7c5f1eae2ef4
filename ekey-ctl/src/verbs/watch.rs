//! `watch`: prints one line per change, for a person or a program that reads JSON lines.

use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ekey_control::{Client, ClientError, Status, amount};

use crate::cli::Watch;
use crate::problem::Problem;
use crate::render::change::{Change, Watcher};
use crate::render::paint::{self, Line};

const EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(socket: &Path, args: &Watch) -> Result<u8, Problem> {
    let mut watcher = Watcher::default();
    // A daemon that does not answer at the start is an error; later it is a change like any other.
    let mut client = Some(Client::connect(socket)?);
    let mut left = args.changes.unwrap_or(u64::MAX);
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let look = look(socket, &mut client).map_err(|error| {
            client = None;
            error.to_string()
        });
        for change in watcher.look(look, &amount::utc(now.as_secs())) {
            print(&change, args.json.json)?;
            left -= 1;
            if left == 0 {
                return Ok(0);
            }
        }
        thread::sleep(EVERY);
    }
}

fn look(socket: &Path, client: &mut Option<Client>) -> Result<Status, ClientError> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => Client::connect(socket)?,
    };
    client.insert(connected).status()
}

fn print(change: &Change, json: bool) -> Result<(), Problem> {
    if json {
        writeln!(io::stdout(), "{}", serde_json::to_string(change)?)?;
    } else {
        paint::print(&[Line::plain(&format!("{}  {}", change.time, change.text))])?;
    }
    Ok(())
}
