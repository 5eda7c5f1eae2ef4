//! `reset KEY`: takes one step of reviving a key, and reports the result.

use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_control::status::RungStatus;
use ekey_control::{Client, Command, tag};
use serde_json::json;

use crate::cli::Reset;
use crate::problem::Problem;

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
    let before = tally(&mut client, args)?.unwrap_or_default();
    client.request(&Command::ResetEntropyKey { tag: args.key.clone(), level: args.level })?;
    let outcome = watch(&mut client, args, before)?;
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
        writeln!(io::stdout(), "{}", json!({ "key": args.key, "level": level, "answered": answered, "text": text }))?;
    } else {
        writeln!(io::stdout(), "{} {}: {text}", args.key, args.level.word())?;
    }
    Ok(u8::from(!answered))
}

/// Attempts, successes and failures.
type Tally = (u64, u64, u64);

fn watch(client: &mut Client, args: &Reset, before: Tally) -> Result<Outcome, Problem> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(rung) = rung(client, args)? {
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

fn tally(client: &mut Client, args: &Reset) -> Result<Option<Tally>, Problem> {
    Ok(rung(client, args)?.map(|rung| (rung.attempts, rung.successes, rung.failures)))
}

fn rung(client: &mut Client, args: &Reset) -> Result<Option<RungStatus>, Problem> {
    let status = client.status()?;
    let key = tag::find(&status.keys, &args.key);
    Ok(key.and_then(|key| key.revival.iter().find(|rung| rung.rung == args.level.rung()).cloned()))
}
