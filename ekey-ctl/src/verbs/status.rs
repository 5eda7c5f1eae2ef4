//! `status`: shows everything on one screen.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::{Client, Status};

use crate::cli::Json;
use crate::problem::Problem;
use crate::render::{paint, screen};
use crate::terminal;

pub(crate) fn run(socket: &Path, args: Json) -> Result<u8, Problem> {
    let json = Client::connect(socket)?.status_json()?;
    let status = Status::from_json(&json).map_err(ekey_control::ClientError::from)?;
    if args.json {
        // Print the daemon's own line: a newer daemon may have fields that this tool does not know.
        writeln!(io::stdout(), "{json}")?;
    } else {
        let lines = match terminal::width() {
            Some(width) if width >= screen::WIDTH => screen::fitted(&status, width),
            _ => screen::whole(&status),
        };
        paint::print(&lines)?;
    }
    Ok(exit_code(&status))
}

/// Returns 0 if all sources deliver (keys, and the EGD server), 1 if some do not, 2 if none does. A server of the list that
/// failed a health test does not deliver, even if another one does.
fn exit_code(status: &Status) -> u8 {
    let client = status.egd_client.iter();
    let fetching = client.clone().filter(|client| client.is_delivering()).count();
    let all = status.keys.len() + client.map(|client| 1 + client.retired().count()).sum::<usize>();
    match status.running() + fetching {
        0 => 2,
        well if well < all => 1,
        _ => 0,
    }
}
