//! `capacity`: reports whether the keys supply enough, by the daemon's measurements or by simulation.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use ekey_control::{Client, Status};

use crate::capacity::{Limits, Measured, Verdict, World, borne, keys_needed, simulate};
use crate::cli::Capacity;
use crate::host;
use crate::new_file::{self, Readers};
use crate::problem::Problem;
use crate::render::capacity::{self, Answer};
use crate::render::paint;
use crate::terminal;

/// Requests of one simulation, at most: more take minutes.
const MOST_REQUESTS: f64 = 20_000_000.0;

pub(crate) fn run(socket: &Path, args: &Capacity) -> Result<u8, Problem> {
    if args.clients.is_empty() { measure(socket, args) } else { predict(socket, args) }
}

fn measure(socket: &Path, args: &Capacity) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let measured = Measured::of(&client.status()?, &client.history()?);
    if args.json.json {
        writeln!(io::stdout(), "{}", capacity::measured_json(&measured))?;
    } else {
        paint::print(&capacity::measured(&measured))?;
    }
    Ok(u8::from(matches!(measured.verdict(), Verdict::Short | Verdict::Nothing)))
}

fn predict(socket: &Path, args: &Capacity) -> Result<u8, Problem> {
    let crowds = args.crowds().ok_or(Problem::NoHabit)?;
    let (mut world, from_daemon, no_key, host) = match Client::connect(socket) {
        Ok(mut client) => {
            let status = client.status()?;
            let no_key = status.running() == 0 && args.keys.is_none();
            (world_of(&status), true, no_key, status.host)
        }
        Err(error) if error.is_no_daemon() => (World::usual(1), false, false, host::name()),
        Err(error) => return Err(error.into()),
    };
    world.keys = args.keys.unwrap_or(world.keys);
    world.bytes_per_s = args.supply.unwrap_or(world.bytes_per_s);
    let span = Duration::from_secs_f64(args.hours * 3600.0);
    let requests = crowds.iter().map(|crowd| crowd.habit.requests() * f64::from(crowd.clients)).sum::<f64>();
    if requests * span.as_secs_f64() > MOST_REQUESTS {
        return Err(Problem::TooMuch { requests: requests * span.as_secs_f64(), most: MOST_REQUESTS });
    }
    let limits = Limits { within: args.within, span, seed: args.seed };
    let outcome = simulate(world, &crowds, span, args.seed);
    let mut answer = Answer { world, crowds, limits, outcome, borne: 0, keys_needed: None, from_daemon, no_key, host };
    // These two answers assume a full pool at the start, whatever it holds now.
    let rested = World { held: world.pool, ..world };
    answer.borne = borne(rested, &answer.crowds, limits);
    answer.keys_needed =
        if answer.is_enough() { Some(world.keys) } else { keys_needed(rested, &answer.crowds, limits) };
    if let Some(path) = &args.svg {
        new_file::write(path, Readers::All, args.force.force, capacity::picture(&answer).as_bytes())?;
    }
    if args.json.json {
        writeln!(io::stdout(), "{}", capacity::json(&answer))?;
    } else if args.svg.as_deref() != Some(Path::new("-")) {
        paint::print(&capacity::lines(&answer, terminal::shows_unicode()))?;
    }
    Ok(u8::from(!answer.is_enough()))
}

/// Returns the daemon's keys and pool. Keys that deliver nothing now do not count.
fn world_of(status: &Status) -> World {
    let keys = status.keys.iter().filter(|key| key.is_serving() && key.rate_bytes_per_s >= 1.0);
    let rates = keys.map(|key| key.rate_bytes_per_s).collect::<Vec<_>>();
    let usual = World::usual(u32::try_from(rates.len()).unwrap_or(u32::MAX).max(1));
    World {
        bytes_per_s: if rates.is_empty() { usual.bytes_per_s } else { rates.iter().sum::<f64>() / rates.len() as f64 },
        pool: status.pool.capacity,
        held: status.pool.bytes,
        kernel: usual.kernel.filter(|_| status.kernel.is_some()),
        ..usual
    }
}
