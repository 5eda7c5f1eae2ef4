//! `stats KEY`: prints the counters of one key with the original's names, from any daemon that speaks EKEYD/1.

use std::io::{self, Write};
use std::path::Path;

use ekey_control::{Client, Command};
use serde_json::{Map, Value};

use crate::cli::Stats;
use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::which_key;

pub(crate) fn run(socket: &Path, args: &Stats) -> Result<u8, Problem> {
    let mut client = Client::connect(socket)?;
    let key = which_key::named(&mut client, args.key.as_deref())?;
    let mut answer = client.request(&Command::StatEntropyKey(key))?;
    // The original sends them in any order.
    answer.lines.sort_unstable();
    if args.json.json {
        let numbers: Map<String, Value> = answer
            .lines
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, text)| (name.to_owned(), value(name, text)))
            .collect();
        writeln!(io::stdout(), "{}", Value::Object(numbers))?;
    } else {
        let lines: Vec<Line> = answer.lines.iter().map(|line| Line::plain(line)).collect();
        paint::print(&lines)?;
    }
    Ok(0)
}

fn value(name: &str, text: &str) -> Value {
    // A character, which may be a digit.
    if name.ends_with("Badness") {
        return Value::from(text);
    }
    match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::from(whole),
        (_, Ok(number)) if number.is_finite() => Value::from(number),
        _ => Value::from(text),
    }
}
