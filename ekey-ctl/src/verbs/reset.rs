//! `reset KEY`: takes one step of reviving a key, and reports the result.

use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_control::status::RungStatus;
use ekey_control::{Client, Command, Level, tag};
use serde_json::json;

use crate::cli::Reset;
use crate::problem::Problem;
use crate::which_key;

/// The time limit. A step takes some seconds at most, and so does the key's answer.
const PATIENCE: Duration = Duration::from_secs(12);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The result of the step.
enum Outcome {
    Answered(Duration),
    NotTaken(String),
    NoAnswer,
}

pub(crate) fn run(socket: &Path, args: &Reset) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let key = which_key::named(&mut client, args.key.as_deref())?;
    let before = tally(&mut client, &key, args.level)?.unwrap_or_default();
    client.request(&Command::ResetEntropyKey { tag: key.clone(), level: args.level })?;
    let outcome = watch(&mut client, &key, args.level, before)?;
    let (answered, text) = match &outcome {
        Outcome::Answered(after) => (true, format!("answered after {:.1} s", after.as_secs_f64())),
        Outcome::NotTaken(why) => (false, format!("the step failed: {why}")),
        Outcome::NoAnswer => {
            let next = "try the next --level (soft, reopen, usb, port), or unplug it and plug it in again";
            (false, format!("no answer within {} s; {next}", PATIENCE.as_secs()))
        }
    };
    if args.json.json {
        let level = args.level.word();
        writeln!(io::stdout(), "{}", json!({ "key": key, "level": level, "answered": answered, "text": text }))?;
    } else {
        writeln!(io::stdout(), "{key} {}: {text}", args.level.word())?;
    }
    Ok(u8::from(!answered))
}

/// Attempts, successes and failures.
type Tally = (u64, u64, u64);

fn watch(client: &mut Client, key: &str, level: Level, before: Tally) -> Result<Outcome, Problem> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(rung) = rung(client, key, level)? {
            if rung.attempts > before.0 && rung.successes > before.1 {
                return Ok(Outcome::Answered(started.elapsed()));
            }
            if rung.failures > before.2 {
                return Ok(Outcome::NotTaken(rung.problem.unwrap_or_else(|| "the key did not come back".to_owned())));
            }
        }
        sleep(LOOK_EVERY);
    }
    Ok(Outcome::NoAnswer)
}

fn tally(client: &mut Client, key: &str, level: Level) -> Result<Option<Tally>, Problem> {
    Ok(rung(client, key, level)?.map(|rung| (rung.attempts, rung.successes, rung.failures)))
}

fn rung(client: &mut Client, key: &str, level: Level) -> Result<Option<RungStatus>, Problem> {
    let status = client.status()?;
    let key = tag::find(&status.keys, key);
    Ok(key.and_then(|key| key.revival.iter().find(|rung| rung.rung == level.rung()).cloned()))
}
