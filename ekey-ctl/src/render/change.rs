//! What has changed between two looks at the daemon, one line each.

use std::collections::BTreeMap;

use ekey_control::health::PutAside;
use ekey_control::{KeyStatus, Status, advice};
use serde::Serialize;

/// Looks between two reports of the same key's refused frames: a bad cable makes some every second.
const LOOKS_BETWEEN_FRAMES: u32 = 20;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// When it was seen, RFC 3339 in UTC.
    pub(crate) time: String,
    /// `daemon`, `key`, `state`, `health`, `frames`, `recovered`, `output`, `server` or `clients`.
    pub(crate) what: &'static str,
    /// The key's number, where it is about one.
    pub(crate) key: Option<u32>,
    /// Its serial number, as far as it is known.
    pub(crate) serial: Option<String>,
    /// As it was: a state's name in the JSON of the status, or a count.
    pub(crate) from: Option<String>,
    /// As it is.
    pub(crate) to: Option<String>,
    /// For people.
    pub(crate) text: String,
}

/// Compares each look with the one before.
#[derive(Default)]
pub(crate) struct Watcher {
    last: Option<Status>,
    /// Per key: refused frames as they were reported, and the looks since.
    frames: BTreeMap<u32, (u64, u32)>,
    lost: bool,
}

impl Watcher {
    /// What is different from the last look. The first look reports everything as it is.
    pub(crate) fn look(&mut self, now: Result<Status, String>, time: &str) -> Vec<Change> {
        let mut out = Vec::new();
        let plain =
            |what, text| Change { time: time.to_owned(), what, key: None, serial: None, from: None, to: None, text };
        let status = match now {
            Ok(status) => status,
            Err(why) => {
                if !self.lost {
                    out.push(plain("daemon", why));
                }
                *self = Self { lost: true, ..Self::default() };
                return out;
            }
        };
        self.lost = false;
        let before = self.last.take().filter(|before| before.pid == status.pid);
        if before.is_none() {
            self.frames.clear();
            out.push(plain("daemon", format!("ekeyd {} is there, pid {}", status.version, status.pid)));
        }
        self.keys(before.as_ref(), &status, time, &mut out);
        for (what, was, is) in [
            ("output", before.as_ref().and_then(problem), problem(&status)),
            ("server", before.as_ref().and_then(server), server(&status)),
            ("clients", before.as_ref().and_then(waiting), waiting(&status)),
        ] {
            if was != is {
                let text = is.clone().unwrap_or_else(|| match what {
                    "clients" => "no client waits any more".to_owned(),
                    _ => "well again".to_owned(),
                });
                out.push(Change { from: was, to: is, ..plain(what, text) });
            }
        }
        self.last = Some(status);
        out
    }

    fn keys(&mut self, before: Option<&Status>, status: &Status, time: &str, out: &mut Vec<Change>) {
        let state = |key: &KeyStatus| key.state.name().to_owned();
        let find = |status: &Status, number| status.keys.iter().find(|key| key.number == number).cloned();
        let about = |key: &KeyStatus, what, from: Option<String>, to: Option<String>, text: String| {
            let serial = key.known_serial().map(str::to_owned);
            let name = serial.as_deref().map_or_else(String::new, |serial| format!(" ({serial})"));
            let text = format!("key {}{name}: {text}", key.number);
            Change { time: time.to_owned(), what, key: Some(key.number), serial, from, to, text }
        };
        for gone in before.into_iter().flat_map(|before| &before.keys) {
            if find(status, gone.number).is_none() {
                self.frames.remove(&gone.number);
                out.push(about(gone, "key", Some("driven".to_owned()), None, "no longer driven".to_owned()));
            }
        }
        for key in &status.keys {
            let was = before.and_then(|before| find(before, key.number));
            if was.is_none() && before.is_some() {
                out.push(about(key, "key", None, Some("driven".to_owned()), format!("driven now, at {}", key.path)));
            }
            if was.as_ref().is_none_or(|was| was.state != key.state) {
                let next = key.next_step().map_or_else(String::new, |next| format!("; {next}"));
                let text = format!("{}{next}", advice::words(key.state));
                out.push(about(key, "state", was.as_ref().map(state), Some(state(key)), text));
            }
            let revived = was.as_ref().map_or(0, |was| key.recoveries.saturating_sub(was.recoveries));
            if revived > 0 {
                let (from, to) = (key.recoveries - revived, key.recoveries);
                out.push(about(key, "recovered", Some(from.to_string()), Some(to.to_string()), "revived".to_owned()));
            }
            let aside = |key: &KeyStatus| key.put_aside().map(|aside| aside.test.clone());
            let was_aside = was.as_ref().and_then(aside);
            if was_aside != aside(key) {
                let text = key.put_aside().map_or_else(|| "used again".to_owned(), PutAside::next_step);
                out.push(about(key, "health", was_aside, aside(key), text));
            }
            let refused = key.frames.dropped().saturating_add(key.frames.framing_errors);
            let (reported, looks) = self.frames.entry(key.number).or_insert((refused, LOOKS_BETWEEN_FRAMES));
            *looks = looks.saturating_add(1);
            if refused > *reported && *looks > LOOKS_BETWEEN_FRAMES {
                let text = format!("{} more frames refused, {refused} in all", refused - *reported);
                out.push(about(key, "frames", Some(reported.to_string()), Some(refused.to_string()), text));
                (*reported, *looks) = (refused, 0);
            }
        }
    }
}

/// What is wrong with keyring, kernel or file.
fn problem(status: &Status) -> Option<String> {
    let kernel = status.kernel.as_ref().and_then(|kernel| kernel.problem.clone());
    let file = status.file.as_ref().and_then(|file| file.stopped.clone());
    status.keyring.problem.clone().or(kernel).or(file)
}

fn server(status: &Status) -> Option<String> {
    status.egd_client.as_ref().map(|client| format!("EGD server {}: {}", client.server, client.state.word()))
}

fn waiting(status: &Status) -> Option<String> {
    status.egd.iter().any(|egd| egd.waiting > 0).then(|| "clients wait for entropy".to_owned())
}

#[cfg(test)]
mod tests {
    use ekey_control::KeyState;
    use ekey_link::revive::Rung;
    use ekey_proto::session::State;

    use super::*;
    use crate::render::sample::{key, status};

    fn seen(watcher: &mut Watcher, status: Status) -> Vec<String> {
        watcher.look(Ok(status), "T").into_iter().map(|change| format!("{}: {}", change.what, change.text)).collect()
    }

    #[test]
    fn the_first_look_tells_how_things_are_and_the_next_only_what_is_new() {
        let mut watcher = Watcher::default();
        let first = seen(&mut watcher, status(vec![key(State::Running)]));
        assert_eq!(first, ["daemon: ekeyd 0.1.0 is there, pid 4711", "state: key 1 (NwBvBlg3OTBJORFD): running"]);
        assert_eq!(seen(&mut watcher, status(vec![key(State::Running)])), Vec::<String>::new());
        let changes = watcher.look(Ok(status(vec![key(KeyState::Gone)])), "T");
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("running"), Some("gone")));
        assert!(change.text.ends_with("gone; plug the key in again; the daemon finds it by itself"), "{change:?}");
    }

    #[test]
    fn keys_that_come_and_go_and_are_revived_are_told_of() {
        let mut watcher = Watcher::default();
        let _ = seen(&mut watcher, status(vec![key(KeyState::Recovering { rung: Rung::Soft })]));
        let mut revived = key(State::Running);
        revived.recoveries = 1;
        let second = KeyStatus { number: 2, ..key(State::Opening) };
        let changes = seen(&mut watcher, status(vec![revived, second]));
        let due = ["state: key 1", "recovered: key 1", "key: key 2", "state: key 2"];
        assert!(changes.len() == 4 && changes.iter().zip(due).all(|(seen, due)| seen.starts_with(due)), "{changes:?}");
        let changes = seen(&mut watcher, status(Vec::new()));
        assert!(changes.len() == 2 && changes.iter().all(|change| change.ends_with("no longer driven")), "{changes:?}");
    }

    #[test]
    fn refused_frames_are_no_flood() {
        let mut watcher = Watcher::default();
        let mut told = Vec::new();
        for look in 0..100 {
            let mut key = key(State::Running);
            key.frames.mac_failures = look * 3;
            told.extend(
                seen(&mut watcher, status(vec![key])).into_iter().filter(|change| change.starts_with("frames")),
            );
        }
        assert!((4..=6).contains(&told.len()), "{told:?}");
        assert!(told[1].contains("more frames refused"), "{told:?}");
    }

    #[test]
    fn a_daemon_that_is_gone_is_told_of_once_and_so_is_its_return() {
        let mut watcher = Watcher::default();
        for due in [1, 0, 0] {
            assert_eq!(watcher.look(Err("no daemon".to_owned()), "T").len(), due);
        }
        assert_eq!(seen(&mut watcher, status(Vec::new())), ["daemon: ekeyd 0.1.0 is there, pid 4711"]);
        let other = Status { pid: 1, ..status(Vec::new()) };
        assert_eq!(seen(&mut watcher, other), ["daemon: ekeyd 0.1.0 is there, pid 1"]);
    }

    #[test]
    fn problems_of_outputs_come_and_go() {
        let mut watcher = Watcher::default();
        let well = || status(vec![key(State::Running)]);
        let _ = seen(&mut watcher, well());
        let mut ill = well();
        ill.kernel.as_mut().unwrap().problem = Some("no right to".to_owned());
        ill.egd[0].waiting = 2;
        assert_eq!(seen(&mut watcher, ill), ["output: no right to", "clients: clients wait for entropy"]);
        assert_eq!(seen(&mut watcher, well()), ["output: well again", "clients: no client waits any more"]);
    }
}
