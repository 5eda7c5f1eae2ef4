//! All keys: which are driven, and how commands and the configuration change that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use ekey_control::books::KeyBooks;
use ekey_control::status::IdleKey;
use ekey_control::{Command, KeyStatus, Reply, Status, original, tag};
use ekey_link::LinkError;
use ekey_link::find::{self, FoundKey};
use ekey_proto::Serial;
use ekey_proto::session::Timings;
use mio::event::Event;
use mio::{Registry, Token};

use super::discovery::Discovery;
use super::lines::{self, Lines};
use super::nonce::{Host, Nonces};
use super::{Key, KeyCommand, KeyRecord, KeySettings, Name};
use crate::config::{self, Config};
use crate::log_limit::LogLimit;
use crate::source::keyring::SharedKeyring;
use crate::source::{Demand, Inlet, Source, SourceId};

/// Limit on the keys. More are a mistake, such as naming `/dev` as the folder of keys.
const MOST_KEYS: usize = 256;
const TOO_MANY: &str = "256 keys are driven already: remove some first";
/// How long a key that was found on USB and has proven nothing may be away.
const NEWCOMER_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Limit on such keys that are away: a device may come back under ever new serial numbers.
const MOST_AWAY: usize = 16;
/// What to do about a folder that the daemon may not read.
const ANOTHER_FOLDER: &str = "let its user in, or name the folder below /dev, or its keys in [keys] paths";
/// How long the event loop may wait for a key to be released.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How long a key's thread may take to end when the daemon stops: a write to the key may be under way.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// The keys that are driven.
pub(crate) struct Keys {
    keys: Vec<Key>,
    made: u32,
    discovery: Discovery,
    /// Released keys whose threads may still hand on bytes.
    departing: Vec<KeyRecord>,
    departed: KeyBooks,
    keyring: SharedKeyring,
    nonces: Nonces,
    config: config::Keys,
    recovery: config::Recovery,
    health: config::Health,
    inlet: Inlet,
    lines: Arc<lines::All>,
    /// Limits on the lines about keys that are found.
    found_lines: FoundLines,
}

/// Limits on the lines about keys that are found on USB: a device may be plugged in as often as it likes.
#[derive(Default)]
struct FoundLines {
    plugged_in: LogLimit,
    not_driven: LogLimit,
}

impl Keys {
    /// Starts to drive the configured keys, and to look for others on USB. `token` is for the kernel's messages about USB.
    pub(crate) fn start(
        config: &Config,
        keyring: SharedKeyring,
        inlet: Inlet,
        registry: &Registry,
        token: Token,
    ) -> Self {
        let mut keys = Self::new(config, keyring, inlet, Discovery::start(registry, token));
        keys.add_configured();
        keys
    }

    fn new(config: &Config, keyring: SharedKeyring, inlet: Inlet, discovery: Discovery) -> Self {
        Self {
            keys: Vec::new(),
            made: 0,
            discovery,
            departing: Vec::new(),
            departed: KeyBooks::default(),
            keyring,
            nonces: Nonces::new(&config.state_folder(), Host::default()),
            config: config.keys.clone(),
            recovery: config.recovery.clone(),
            health: config.health.clone(),
            inlet,
            lines: Arc::default(),
            found_lines: FoundLines::default(),
        }
    }

    /// Starts the configured keys that are not driven yet.
    fn add_configured(&mut self) {
        for key in self.config.paths.clone() {
            if self.has_key_at(&key.path) {
                continue;
            }
            let expected = key.serial.as_ref().and_then(|serial| serial.parse().ok());
            if let Err(error) = self.add(Name::Path(key.path), expected) {
                tracing::error!("{error}");
            }
        }
        for folder in self.config.folders.clone() {
            self.add_all_of(&folder);
        }
    }

    /// Starts to drive a key, and returns its number.
    fn add(&mut self, name: Name, expected: Option<Serial>) -> Result<u32, LinkError> {
        let number = self.made + 1;
        let silence = self.recovery.silence;
        let timings = Timings { opening_silence: silence, running_silence: silence * 5 / 3 };
        let (transport, recovery) = (self.config.transport, self.recovery.clone());
        let health = self.health.clone();
        let lines = Lines::new(&self.lines, number);
        let settings = KeySettings { number, name, transport, recovery, health, expected, timings, lines };
        self.keys.push(Key::start(settings, self.keyring.clone(), self.nonces.clone(), self.inlet.clone())?);
        self.made = number;
        Ok(number)
    }

    /// Returns whether the key at `path` is driven, under any name.
    fn has_key_at(&self, path: &Path) -> bool {
        let found = find::behind(path);
        let same_path = |key: &Key| matches!(key.name(), Name::Path(other) if find::is_same_node(other, path));
        self.keys.iter().any(|key| same_path(key) || found.as_ref().is_some_and(|found| key.is(found)))
    }

    fn is_driven(&self, found: &FoundKey) -> bool {
        self.keys.iter().any(|key| key.is(found))
    }

    fn add_named(&mut self, path: &str, serial: Option<&str>) -> Reply {
        let expected = match serial.map(str::parse::<Serial>).transpose() {
            Ok(expected) => expected,
            Err(error) => return Reply::error(error),
        };
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return Reply::error(format!("{}: name the key's device with its whole path", path.display()));
        }
        if self.has_key_at(&path) {
            return Reply::error(format!("{}: is driven already", path.display()));
        }
        if let Some(found) = find::behind(&path) {
            self.discovery.note_added(&found);
        }
        if self.keys.len() >= MOST_KEYS {
            return Reply::error(TOO_MANY);
        }
        match self.add(Name::Path(path), expected) {
            Ok(number) => Reply::added(&[number]),
            Err(error) => Reply::error(error),
        }
    }

    /// Starts every key of a folder. A missing folder has no keys, as with the original.
    fn add_all_of(&mut self, folder: &Path) -> Reply {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Reply::error(format!("{}: {error}; {ANOTHER_FOLDER}", folder.display()));
            }
            Err(_) => return Reply::ok(),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).take(MOST_KEYS).collect();
        paths.sort();
        let mut added = Vec::new();
        for path in paths {
            if self.has_key_at(&path) || self.keys.len() >= MOST_KEYS {
                continue;
            }
            match self.add(Name::Path(path), None) {
                Ok(number) => added.push(number),
                Err(error) => tracing::error!("{error}"),
            }
        }
        Reply::added(&added)
    }

    fn remove(&mut self, tag: &str) -> Reply {
        let Some(at) = self.find(tag) else { return no_such_key(tag) };
        let key = self.keys.remove(at);
        self.note_departing(&key);
        if let Some(serial) = key.status().known_serial() {
            self.discovery.note_removed(serial.to_owned());
        }
        let path = key.status().path;
        // OK means that the client can use the key.
        if !key.release(RELEASE_PATIENCE) {
            return Reply::ok_with(format!("{path} is released once the running operation on it ends"));
        }
        Reply::ok()
    }

    fn find(&self, tag: &str) -> Option<usize> {
        let number = tag::find(&self.statuses(), tag)?.number;
        self.keys.iter().position(|key| key.number() == number)
    }

    fn statuses(&self) -> Vec<KeyStatus> {
        self.keys.iter().map(Key::status).collect()
    }

    /// Drives the keys that a scan of USB has found, and releases those that it has not found for long.
    fn note_scan(&mut self, settled: &[FoundKey], now: Instant) {
        self.release_newcomers(now);
        self.add_up_departed();
        self.add_found(settled, now);
    }

    /// Starts the keys of a scan that are not driven yet.
    fn add_found(&mut self, settled: &[FoundKey], now: Instant) {
        for key in settled {
            let Some(serial) = &key.serial else { continue };
            if !self.config.discover || self.is_driven(key) || self.discovery.is_removed(serial) {
                continue;
            }
            let added = if self.keys.len() < MOST_KEYS {
                self.add(Name::Serial(serial.clone()), serial.parse().ok()).map_err(|error| error.to_string())
            } else {
                Err(TOO_MANY.to_owned())
            };
            let FoundLines { plugged_in, not_driven } = &mut self.found_lines;
            match added {
                Ok(_) => {
                    if let Some(more) = plugged_in.admit(now) {
                        tracing::info!(%serial, port = %key.port, "a key was plugged in{more}");
                    }
                }
                Err(problem) => {
                    if let Some(more) = not_driven.admit(now) {
                        tracing::error!(%serial, port = %key.port, "a key is not driven: {problem}{more}");
                    }
                }
            }
        }
    }

    /// Releases keys that were found on USB, have proven nothing, and are away: after some minutes, or the longest away first if they
    /// are many. A key that comes back is found again.
    fn release_newcomers(&mut self, now: Instant) {
        for key in &mut self.keys {
            let found = self.discovery.found().iter().any(|found| key.name().names(found));
            key.note_found(found || !matches!(key.name(), Name::Serial(_)), now);
        }
        let newcomers = self.keys.iter().filter(|key| !key.has_proven());
        let mut away: Vec<_> = newcomers.filter_map(|key| Some((key.away_since()?, key.number()))).collect();
        away.sort_unstable();
        let spare = away.len().saturating_sub(MOST_AWAY);
        let expired = |since| now.saturating_duration_since(since) >= NEWCOMER_PATIENCE;
        let released = away.iter().enumerate().filter(|(at, (since, _))| *at < spare || expired(*since));
        let released: Vec<u32> = released.map(|(_, (_, number))| *number).collect();
        self.release(|key| released.contains(&key.number()));
    }

    /// Releases these keys without waiting for the end of their threads.
    fn release(&mut self, which: impl FnMut(&Key) -> bool) {
        let (released, kept): (Vec<Key>, Vec<Key>) = std::mem::take(&mut self.keys).into_iter().partition(which);
        self.keys = kept;
        for key in released {
            self.note_departing(&key);
            key.command(KeyCommand::Stop);
        }
    }

    /// Keeps the account of a released key.
    fn note_departing(&mut self, key: &Key) {
        self.add_up_departed();
        self.departing.push(key.record());
    }

    /// Adds up the accounts of released keys whose threads have ended.
    fn add_up_departed(&mut self) {
        let departed = &mut self.departed;
        self.departing.retain(|key| {
            let goes_on = key.is_in_use();
            if !goes_on {
                *departed += key.books();
            }
            goes_on
        });
    }

    /// Returns the keys that are plugged in but not driven, and why.
    fn idle(&self) -> Vec<IdleKey> {
        let idle = |key: &FoundKey| IdleKey {
            serial: key.serial.clone(),
            port: key.port.clone(),
            path: key.tty.as_ref().unwrap_or(&key.usbfs).display().to_string(),
            why: self.why_idle(key).to_owned(),
        };
        self.discovery.found().iter().filter(|key| !self.is_driven(key)).map(idle).collect()
    }

    fn why_idle(&self, key: &FoundKey) -> &'static str {
        match &key.serial {
            None => "it has no usable serial number: unplug it and plug it in again",
            Some(_) if !key.authorized => "the kernel does not authorize it: write 1 to its `authorized` in /sys",
            Some(serial) if self.discovery.is_removed(serial) => "it was removed by command: `ekey-ctl add` its path",
            Some(_) if !self.config.discover => "discovery is off in the configuration: `ekey-ctl add` its path",
            Some(_) if self.keys.len() >= MOST_KEYS => TOO_MANY,
            Some(_) => "it has just been plugged in",
        }
    }
}

impl Source for Keys {
    fn handle(&mut self, _event: &Event) {
        self.discovery.hear();
    }

    fn go_on(&mut self, now: Instant) {
        let Some((has_changed, settled)) = self.discovery.look(now) else { return };
        if has_changed {
            self.keys.iter().for_each(|key| key.command(KeyCommand::Look));
        }
        self.note_scan(&settled, now);
    }

    fn next_wake(&self) -> Option<Instant> {
        Some(self.discovery.next_look())
    }

    /// Ignores it: a key always gives what it has.
    fn want(&mut self, _demand: &Demand) {}

    fn taken(&mut self, _from: SourceId, _bytes: usize) {}

    fn delivering(&self) -> Vec<SourceId> {
        let delivering = self.keys.iter().filter(|key| key.is_delivering());
        delivering.map(|key| SourceId::key(key.number())).collect()
    }

    fn command(&mut self, command: &Command) -> Option<Reply> {
        Some(match command {
            Command::ListEntropyKeys => Reply::lines(original::list_lines(&self.statuses())),
            Command::StatEntropyKey(tag) => match tag::find(&self.statuses(), tag) {
                Some(key) => Reply::lines(original::stat_lines(key)),
                None => no_such_key(tag),
            },
            Command::AddEntropyKey { path, serial } => self.add_named(path, serial.as_deref()),
            Command::AddEntropyKeys(folder) => self.add_all_of(Path::new(folder)),
            Command::RemoveEntropyKey(tag) => self.remove(tag),
            Command::ResetEntropyKey { tag, level } => match self.find(tag) {
                Some(at) => {
                    self.keys[at].command(KeyCommand::Try(level.rung()));
                    Reply::ok()
                }
                None => no_such_key(tag),
            },
            _ => return None,
        })
    }

    /// Keeps keys whose entry is unchanged. Releases and restarts a key whose entry has changed.
    fn reload(&mut self, config: &Config) {
        let entry = |keys: &config::Keys, key: &Key| match key.name() {
            Name::Path(path) => keys.paths.iter().find(|named| named.path == *path).cloned(),
            Name::Serial(_) => None,
        };
        let other_transport = config.keys.transport != self.config.transport;
        let present = std::mem::replace(&mut self.config, config.keys.clone());
        self.release(|key| {
            let before = entry(&present, key);
            other_transport || (before.is_some() && before != entry(&config.keys, key))
        });
        self.add_configured();
    }

    fn take_copied(&mut self) -> bool {
        self.discovery.take_copied()
    }

    /// Has each key begin a new session. A key that is away begins one when it returns.
    fn forget(&mut self) {
        self.keys.iter().for_each(|key| key.command(KeyCommand::Forget));
    }

    fn keyring_changed(&self) {
        self.keys.iter().for_each(|key| key.command(KeyCommand::NewKeyring));
    }

    fn threads(&self) -> usize {
        self.keys.len() + self.departing.len()
    }

    fn report(&self, status: &mut Status) {
        status.keys = self.statuses();
        status.idle_keys = self.idle();
        status.nonces = Some(self.nonces.status());
        if let Some(books) = &mut status.books {
            books.departed_keys = self.departed;
            self.departing.iter().for_each(|key| books.departed_keys += key.books());
        }
    }

    fn begin_stop(&mut self) {
        self.keys.iter().for_each(|key| key.command(KeyCommand::Stop));
    }

    fn is_running(&self) -> bool {
        self.keys.iter().any(Key::is_running)
    }

    fn stop(self: Box<Self>) {
        for key in self.keys {
            key.release(LAST_GRACE);
        }
    }
}

fn no_such_key(tag: &str) -> Reply {
    Reply::error(format!("there is no key `{tag}`: ListEntropyKeys names those that are driven"))
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Waker};

    use super::*;
    use crate::source::Epochs;

    const LATER: Duration = NEWCOMER_PATIENCE;

    fn keys(config: &Config) -> (Keys, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let inlet = Inlet { deliveries: crossbeam_channel::bounded(1).0, waker, epochs: Epochs::default() };
        let keyring = SharedKeyring::open(Path::new("/nonexistent/keyring"));
        (Keys::new(config, keyring, inlet, Discovery::of(Vec::new())), poll)
    }

    /// The key with this number on its label, which no machine has.
    fn plugged_in(number: u32) -> FoundKey {
        FoundKey {
            serial: Some(format!("test{number:012}")),
            port: format!("1-{number}"),
            bus: 1,
            device: 1,
            usbfs: "/nonexistent/usbfs".into(),
            sysfs: "/nonexistent/sysfs".into(),
            tty: None,
            drivers: [None, None],
            authorized: true,
        }
    }

    fn scan(keys: &mut Keys, found: &[FoundKey], now: Instant) {
        keys.discovery = Discovery::of(found.to_vec());
        keys.note_scan(found, now);
    }

    fn serials(keys: &Keys) -> Vec<String> {
        keys.keys.iter().map(|key| key.name().shown()).collect()
    }

    #[test]
    fn a_newcomer_that_stays_away_is_released() {
        let (mut keys, _poll) = keys(&Config::default());
        let start = Instant::now();
        let found = [plugged_in(1), plugged_in(2)];
        scan(&mut keys, &found, start);
        scan(&mut keys, &found[1..], start);
        scan(&mut keys, &found[1..], start + LATER / 2);
        assert_eq!(keys.keys.len(), 2, "away for a while");
        scan(&mut keys, &found[1..], start + LATER);
        assert_eq!(serials(&keys), ["usb:test000000000002"]);
        scan(&mut keys, &found, start + LATER * 2);
        assert_eq!(serials(&keys), ["usb:test000000000002", "usb:test000000000001"], "it is back");
        assert_eq!(keys.keys[1].number(), 3, "no number is used twice");
        keys.begin_stop();
    }

    #[test]
    fn identities_without_end_make_few_keys() {
        let (mut keys, _poll) = keys(&Config::default());
        let start = Instant::now();
        for number in 0..1000 {
            scan(&mut keys, &[plugged_in(number)], start + Duration::from_secs(number.into()) / 10);
            assert!(keys.keys.len() <= MOST_AWAY + 1, "{} keys", keys.keys.len());
        }
        assert_eq!(keys.keys.last().unwrap().name().shown(), "usb:test000000000999");
        keys.begin_stop();
        // The books list no key that is gone, and no thread stays.
        let started = Instant::now();
        while keys.threads() > MOST_AWAY + 1 && started.elapsed() < Duration::from_secs(600) {
            keys.add_up_departed();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(keys.threads(), MOST_AWAY + 1);
        assert_eq!(keys.departed, KeyBooks::default());
    }

    #[test]
    fn found_keys_stop_at_the_limit_of_keys() {
        let (mut keys, _poll) = keys(&Config::default());
        let found: Vec<FoundKey> = (0..300).map(plugged_in).collect();
        scan(&mut keys, &found, Instant::now());
        assert_eq!(keys.keys.len(), MOST_KEYS);
        let idle = keys.idle();
        assert_eq!(idle.len(), 300 - MOST_KEYS);
        assert!(idle.iter().all(|key| key.why == TOO_MANY), "{idle:?}");
        keys.begin_stop();
    }

    #[test]
    fn configured_and_proven_keys_are_never_released() {
        let mut config = Config::default();
        config.keys.paths = vec![config::KeyPath { path: "/nonexistent/key".into(), serial: None }];
        let (mut keys, _poll) = keys(&config);
        keys.add_configured();
        let start = Instant::now();
        scan(&mut keys, &[plugged_in(1)], start);
        keys.keys[1].prove();
        for day in 0..3 {
            scan(&mut keys, &[], start + Duration::from_secs(day * 86_400));
        }
        assert_eq!(serials(&keys), ["/nonexistent/key", "usb:test000000000001"]);
        keys.begin_stop();
    }
}
