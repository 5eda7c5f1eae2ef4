//! Reports what changed between two looks at the daemon, one line per change.

use std::collections::{BTreeMap, BTreeSet};

use ekey_control::health::PutAside;
use ekey_control::parts::{Part, Role};
use ekey_control::{KeyStatus, Status, advice};
use serde::Serialize;

/// Looks between two reports of a key's rejected frames: a bad cable damages some every second.
const LOOKS_BETWEEN_FRAMES: u32 = 20;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// When this tool saw it, RFC 3339 in UTC.
    pub(crate) time: String,
    /// `daemon`, `key`, `state`, `health`, `frames`, `recovered`, `source`, `output`, `server` or `clients`.
    pub(crate) what: &'static str,
    /// The part of the daemon whose problem came or went, such as `kernel` or `file`.
    pub(crate) part: Option<&'static str>,
    /// The number of the key that it concerns.
    pub(crate) key: Option<u32>,
    /// Its serial number, if known.
    pub(crate) serial: Option<String>,
    /// The value before: a state's name as in the status JSON, or a count.
    pub(crate) from: Option<String>,
    /// The value now.
    pub(crate) to: Option<String>,
    /// The line for people.
    pub(crate) text: String,
}

/// Compares each look with the one before.
#[derive(Default)]
pub(crate) struct Watcher {
    last: Option<Status>,
    /// Per key: rejected frames at the last report, and the looks since.
    frames: BTreeMap<u32, (u64, u32)>,
    lost: bool,
}

impl Watcher {
    /// Returns the changes since the last look. The first look reports everything.
    pub(crate) fn look(&mut self, now: Result<Status, String>, time: &str) -> Vec<Change> {
        let mut out = Vec::new();
        let plain = |what, text| Change {
            time: time.to_owned(),
            what,
            part: None,
            key: None,
            serial: None,
            from: None,
            to: None,
            text,
        };
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
            out.push(plain("daemon", format!("ekeyd {} runs, pid {}", status.version, status.pid)));
        }
        self.keys(before.as_ref(), &status, time, &mut out);
        let (were, are) = (before.as_ref().map(problems).unwrap_or_default(), problems(&status));
        for name in were.keys().chain(are.keys()).copied().collect::<BTreeSet<_>>() {
            let (was, is) = (were.get(name), are.get(name));
            if was.map(Trouble::kind) == is.map(Trouble::kind) {
                continue;
            }
            let what = is.or(was).map_or("output", |trouble| trouble.what);
            let [from, to] = [was, is].map(|trouble| trouble.map(|trouble| trouble.text.clone()));
            let text = to.clone().unwrap_or_else(|| format!("{name}: works again"));
            out.push(Change { part: Some(name), from, to, ..plain(what, text) });
        }
        for (what, was, is) in [
            ("server", before.as_ref().and_then(server), server(&status)),
            ("clients", before.as_ref().and_then(waiting), waiting(&status)),
        ] {
            if was != is {
                let text = is.clone().unwrap_or_else(|| match what {
                    "clients" => "no client waits".to_owned(),
                    _ => "no EGD server in use".to_owned(),
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
            Change { time: time.to_owned(), what, part: None, key: Some(key.number), serial, from, to, text }
        };
        for gone in before.into_iter().flat_map(|before| &before.keys) {
            if find(status, gone.number).is_none() {
                self.frames.remove(&gone.number);
                out.push(about(gone, "key", Some("driven".to_owned()), None, "released".to_owned()));
            }
        }
        for key in &status.keys {
            let was = before.and_then(|before| find(before, key.number));
            if was.is_none() && before.is_some() {
                out.push(about(key, "key", None, Some("driven".to_owned()), format!("driven now, at {}", key.path)));
            }
            let same = |was: &KeyStatus| was.state == key.state && was.hindrance() == key.hindrance();
            if !was.as_ref().is_some_and(same) {
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
                let text = key.put_aside().map_or_else(|| "readmitted".to_owned(), PutAside::next_step);
                out.push(about(key, "health", was_aside, aside(key), text));
            }
            let rejected = key.frames.dropped().saturating_add(key.frames.framing_errors);
            let (reported, looks) = self.frames.entry(key.number).or_insert((rejected, LOOKS_BETWEEN_FRAMES));
            *looks = looks.saturating_add(1);
            if rejected > *reported && *looks > LOOKS_BETWEEN_FRAMES {
                let text = format!("{} more frames rejected, {rejected} in all", rejected - *reported);
                out.push(about(key, "frames", Some(reported.to_string()), Some(rejected.to_string()), text));
                (*reported, *looks) = (rejected, 0);
            }
        }
    }
}

/// The problem of a part of the daemon.
struct Trouble {
    /// The kind of change, as in [`Change::what`].
    what: &'static str,
    text: String,
}

impl Trouble {
    /// Returns the text without figures, which may differ at each look.
    fn kind(&self) -> String {
        self.text.chars().filter(|character| !character.is_ascii_digit()).collect()
    }
}

/// Returns the parts of the daemon with a problem, by name.
fn problems(status: &Status) -> BTreeMap<&'static str, Trouble> {
    let trouble = |part: Part| {
        let what = if part.role == Role::Source { "source" } else { "output" };
        let texts: Vec<String> = part.problems.into_iter().map(|problem| problem.text).collect();
        (!texts.is_empty()).then(|| (part.name, Trouble { what, text: texts.join(" ") }))
    };
    status.parts().into_iter().filter_map(trouble).collect()
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
    use ekey_control::status::{
        CombineStatus, ConfinementStatus, EgdClientState, EgdClientStatus, EgdStatus, EgdTlsStatus, ExpandStatus,
        FileStatus,
    };
    use ekey_link::revive::Rung;
    use ekey_proto::session::State;

    use super::*;
    use crate::render::sample::{key, status};

    fn seen(watcher: &mut Watcher, status: Status) -> Vec<String> {
        watcher.look(Ok(status), "T").into_iter().map(|change| format!("{}: {}", change.what, change.text)).collect()
    }

    #[test]
    fn the_first_look_reports_all_the_next_only_changes() {
        let mut watcher = Watcher::default();
        let first = seen(&mut watcher, status(vec![key(State::Running)]));
        assert_eq!(first, ["daemon: ekeyd 0.1.0 runs, pid 4711", "state: key 1 (NwBvBlg3OTBJORFD): running"]);
        assert_eq!(seen(&mut watcher, status(vec![key(State::Running)])), Vec::<String>::new());
        let changes = watcher.look(Ok(status(vec![key(KeyState::Gone)])), "T");
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("running"), Some("gone")));
        assert!(change.text.ends_with("gone; plug the key in again; the daemon finds it by itself"), "{change:?}");
    }

    #[test]
    fn keys_that_come_go_or_are_revived_are_reported() {
        let mut watcher = Watcher::default();
        let _ = seen(&mut watcher, status(vec![key(KeyState::Recovering { rung: Rung::Soft })]));
        let mut revived = key(State::Running);
        revived.recoveries = 1;
        let second = KeyStatus { number: 2, ..key(State::Opening) };
        let changes = seen(&mut watcher, status(vec![revived, second]));
        let expected = ["state: key 1", "recovered: key 1", "key: key 2", "state: key 2"];
        assert!(
            changes.len() == 4 && changes.iter().zip(expected).all(|(seen, start)| seen.starts_with(start)),
            "{changes:?}"
        );
        let changes = seen(&mut watcher, status(Vec::new()));
        assert!(changes.len() == 2 && changes.iter().all(|change| change.ends_with("released")), "{changes:?}");
    }

    #[test]
    fn rejected_frames_make_no_flood_of_lines() {
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
        assert!(told[1].contains("more frames rejected"), "{told:?}");
    }

    #[test]
    fn a_daemon_that_goes_or_returns_is_reported_once() {
        let mut watcher = Watcher::default();
        for expected in [1, 0, 0] {
            assert_eq!(watcher.look(Err("no daemon".to_owned()), "T").len(), expected);
        }
        assert_eq!(seen(&mut watcher, status(Vec::new())), ["daemon: ekeyd 0.1.0 runs, pid 4711"]);
        let other = Status { pid: 1, ..status(Vec::new()) };
        assert_eq!(seen(&mut watcher, other), ["daemon: ekeyd 0.1.0 runs, pid 1"]);
    }

    #[test]
    fn a_problem_of_any_part_comes_and_goes() {
        type Spoil = fn(&mut Status);
        let spoiled: [(&str, &str, Spoil); 9] = [
            ("output", "Kernel: no right to", |ill| {
                ill.kernel.as_mut().unwrap().problem = Some("no right to".to_owned());
            }),
            ("output", "Keyring /k: unreadable; then run `ekey-ctl keyring reload`.", |ill| {
                ill.keyring.problem = Some("/k: unreadable".to_owned());
            }),
            ("output", "File /f: disk full, then restart the daemon.", |ill| {
                ill.file = Some(FileStatus { stopped: Some("/f: disk full".to_owned()), ..FileStatus::default() });
            }),
            ("output", "EGD: one key only.", |ill| ill.combine = Some(combine("one key only"))),
            ("output", "tls:[::]:1: no such certificate.", |ill| ill.egd.push(certificate("no such certificate"))),
            ("output", "Expand: no seed.", |ill| {
                ill.expand = Some(ExpandStatus { problem: Some("no seed".to_owned()), ..ExpandStatus::default() });
            }),
            ("output", "tls:[::]:1: wrong key.", |ill| {
                ill.expand =
                    Some(ExpandStatus { listeners: vec![certificate("wrong key")], ..ExpandStatus::default() });
            }),
            ("output", "Sandbox: files: no landlock.", |ill| {
                let problems = vec!["files: no landlock".to_owned()];
                ill.confinement = Some(ConfinementStatus { problems, ..ConfinementStatus::default() });
            }),
            ("source", "tcp:h:1: refused.", |ill| ill.egd_client = Some(server("tcp:h:1: refused"))),
        ];
        for (what, text, spoil) in spoiled {
            let mut watcher = Watcher::default();
            let well = || status(vec![key(State::Running)]);
            let _ = seen(&mut watcher, well());
            let mut ill = well();
            spoil(&mut ill);
            let changes = watcher.look(Ok(ill), "T");
            let change = changes.iter().find(|change| change.text == text).unwrap_or_else(|| panic!("no {text}"));
            assert_eq!((change.what, change.to.as_deref()), (what, Some(text)));
            let name = change.part.expect("a part");
            assert!(seen(&mut watcher, well()).contains(&format!("{what}: {name}: works again")), "{name}");
        }
    }

    #[test]
    fn each_problem_that_is_advised_is_watched() {
        let mut ill = status(Vec::new());
        ill.keyring.problem = Some("/k: unreadable".to_owned());
        ill.kernel.as_mut().unwrap().problem = Some("no right to".to_owned());
        ill.pool.received_bytes += 1;
        ill.egd_client = Some(server("tcp:h:1: refused"));
        let changes = seen(&mut Watcher::default(), ill.clone());
        let advice = advice::advice(&ill);
        assert_eq!(advice.len(), 4, "{advice:?}");
        for text in advice {
            assert!(changes.iter().any(|change| change.ends_with(&text)), "no {text:?} in {changes:?}");
        }
    }

    #[test]
    fn a_figure_in_a_problem_is_not_a_change() {
        let mut watcher = Watcher::default();
        for (missing, expected) in [(1, 1), (2, 0), (3, 0)] {
            let mut ill = status(vec![key(State::Running)]);
            ill.pool.received_bytes += missing;
            let changes = seen(&mut watcher, ill);
            let told = changes.iter().filter(|change| change.contains("do not add up")).count();
            assert_eq!(told, expected, "{missing} bytes are missing: {changes:?}");
        }
    }

    #[test]
    fn clients_that_wait_come_and_go() {
        let mut watcher = Watcher::default();
        let well = || status(vec![key(State::Running)]);
        let _ = seen(&mut watcher, well());
        let mut busy = well();
        busy.egd[0].waiting = 2;
        assert_eq!(seen(&mut watcher, busy), ["clients: clients wait for entropy"]);
        assert_eq!(seen(&mut watcher, well()), ["clients: no client waits"]);
    }

    fn combine(problem: &str) -> CombineStatus {
        CombineStatus {
            running_keys: 1,
            in_bytes: 0,
            out_bytes: 0,
            held_bytes: 0,
            ready_bytes: 0,
            wiped_bytes: 0,
            ready_wiped_bytes: 0,
            problem: Some(problem.to_owned()),
        }
    }

    fn certificate(problem: &str) -> EgdStatus {
        let tls = EgdTlsStatus { problem: Some(problem.to_owned()), days_left: 90, ..EgdTlsStatus::default() };
        EgdStatus { listen: "tls:[::]:1".to_owned(), tls: Some(tls), ..EgdStatus::default() }
    }

    fn server(error: &str) -> EgdClientStatus {
        EgdClientStatus {
            servers: vec!["tcp:h:1".to_owned()],
            state: EgdClientState::Resting,
            server: "tcp:h:1".to_owned(),
            failures: 1,
            last_error: Some(error.to_owned()),
            ..EgdClientStatus::default()
        }
    }
}
