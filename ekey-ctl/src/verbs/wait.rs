//! `wait`: waits for verified entropy, for a boot script or a person who has just plugged a key in.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ekey_control::{Client, ClientError, Status, amount};
use serde::Serialize;

use crate::cli::Wait;
use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::render::waiting;

const PAUSE: Duration = Duration::from_millis(100);
/// The shortest time limit for an answer: a running daemon answers at once, unless the machine is very busy.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Outcome<'a> {
    ready: bool,
    /// Verified bytes since the call.
    bytes: u64,
    waited_s: f64,
    not_random: bool,
    keys: Vec<KeyOutcome<'a>>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct KeyOutcome<'a> {
    number: u32,
    serial: Option<&'a str>,
    state: &'a ekey_control::KeyState,
    next_step: Option<String>,
}

pub(crate) fn run(socket: &Path, args: &Wait) -> Result<u8, Problem> {
    let start = Instant::now();
    let mut since = Since::default();
    let (ready, last) = loop {
        let last = match look(socket, args.timeout.saturating_sub(start.elapsed())) {
            Err(error) if !passes(&error) => return Err(error.into()),
            other => other,
        };
        let bytes = since.count(last.as_ref().ok());
        let ready = last.as_ref().is_ok_and(|status| args.bytes.map_or_else(|| ever(status), |wanted| bytes >= wanted));
        let left = args.timeout.saturating_sub(start.elapsed());
        if ready || left.is_zero() {
            break (ready, last);
        }
        thread::sleep(PAUSE.min(left));
    };
    let (status, error) = last.map_or_else(|error| (None, Some(error)), |status| (Some(status), None));
    if args.json.json {
        let outcome = Outcome {
            ready,
            bytes: since.bytes,
            waited_s: start.elapsed().as_secs_f64(),
            not_random: status.as_ref().is_some_and(|status| status.not_random),
            keys: status.as_ref().map(keys).unwrap_or_default(),
            problem: error.as_ref().map(ToString::to_string),
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&outcome)?)?;
    } else {
        let waited = start.elapsed().as_secs_f64();
        let lines = match (&status, ready) {
            (Some(status), true) => waiting::ready(status, since.bytes, waited),
            (Some(status), false) => waiting::given_up(status, since.bytes, args.bytes, waited),
            (None, _) => vec![Line::bad(&format!("Gave up after {}.", amount::waited(waited)))],
        };
        paint::print(&lines)?;
        if let Some(error) = error {
            writeln!(io::stderr(), "ekey-ctl: {error}")?;
        }
    }
    Ok(u8::from(!ready))
}

/// Asks the daemon for its status. Takes no longer than `left`, or a second.
fn look(socket: &Path, left: Duration) -> Result<Status, ClientError> {
    let limit = left.clamp(LEAST_PATIENCE, ekey_control::client::DEFAULT_TIMEOUT);
    Client::connect_within(socket, limit)?.status()
}

/// Reports whether the error may pass: the daemon is starting, stopping, or busy.
fn passes(error: &ClientError) -> bool {
    matches!(error, ClientError::NoDaemon { .. } | ClientError::Closed { .. } | ClientError::Timeout { .. })
}

fn ever(status: &Status) -> bool {
    status.running() > 0 && status.keys.iter().any(|key| key.entropy_bytes > 0)
}

fn keys(status: &Status) -> Vec<KeyOutcome<'_>> {
    status
        .keys
        .iter()
        .map(|key| KeyOutcome {
            number: key.number,
            serial: key.known_serial(),
            state: &key.state,
            next_step: key.next_step(),
        })
        .collect()
}

/// Counts verified bytes since the first look. Keys may come and go, and the daemon may restart.
#[derive(Default)]
struct Since {
    started: bool,
    pid: u32,
    seen: BTreeMap<u32, u64>,
    bytes: u64,
}

impl Since {
    /// Returns the verified bytes so far. Pass `None` if no daemon answered: all that follows is new.
    fn count(&mut self, status: Option<&Status>) -> u64 {
        if let Some(status) = status {
            if self.pid != status.pid {
                self.seen.clear();
                self.pid = status.pid;
            }
            for key in &status.keys {
                let before = self.seen.insert(key.number, key.entropy_bytes).unwrap_or(0);
                if self.started {
                    self.bytes = self.bytes.saturating_add(key.entropy_bytes.saturating_sub(before));
                }
            }
        }
        self.started = true;
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{key, status};
    use ekey_proto::session::State;

    fn with(pid: u32, counts: &[(u32, u64)]) -> Status {
        let keys = counts.iter().map(|(number, bytes)| {
            let mut key = key(State::Running);
            (key.number, key.entropy_bytes) = (*number, *bytes);
            key
        });
        Status { pid, ..status(keys.collect()) }
    }

    #[test]
    fn bytes_of_all_keys_count_from_the_first_look() {
        let mut since = Since::default();
        let looks = [(&[(1, 1000)][..], 0), (&[(1, 1010), (2, 5)], 15), (&[(2, 6)], 16), (&[(3, 4), (2, 6)], 20)];
        for (counts, expected) in looks {
            assert_eq!(since.count(Some(&with(1, counts))), expected, "after {counts:?}");
        }
    }

    #[test]
    fn all_bytes_of_a_daemon_that_starts_later_count() {
        let mut since = Since::default();
        assert_eq!(since.count(None), 0);
        assert_eq!(since.count(Some(&with(1, &[(1, 64)]))), 64);
    }

    #[test]
    fn a_restarted_daemon_counts_from_zero() {
        let mut since = Since::default();
        assert_eq!(since.count(Some(&with(1, &[(1, 1000)]))), 0);
        assert_eq!(since.count(Some(&with(2, &[(1, 32)]))), 32);
        assert_eq!(since.count(Some(&with(2, &[(1, 64)]))), 64);
    }

    #[test]
    fn without_a_number_a_running_key_and_a_byte_suffice() {
        assert!(ever(&with(1, &[(1, 1)])));
        assert!(!ever(&with(1, &[(1, 0)])));
        assert!(!ever(&status(vec![key(State::Silent)])));
        assert!(!ever(&status(Vec::new())));
    }
}
