//! All keys: which are driven, and how commands and the configuration change that.

use std::path::{Path, PathBuf};
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
use super::nonce::{Host, Nonces};
use super::{Key, KeyCommand, KeyRecord, KeySettings, Name};
use crate::config::{self, Config};
use crate::source::keyring::SharedKeyring;
use crate::source::{Demand, Inlet, Source, SourceId};

/// Limit on the keys. More are a mistake, such as naming `/dev` as the folder of keys.
const MOST_KEYS: usize = 256;
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
        let mut keys = Self {
            keys: Vec::new(),
            made: 0,
            discovery: Discovery::start(registry, token),
            departing: Vec::new(),
            departed: KeyBooks::default(),
            keyring,
            nonces: Nonces::new(&config.state_folder(), Host::default()),
            config: config.keys.clone(),
            recovery: config.recovery.clone(),
            health: config.health.clone(),
            inlet,
        };
        keys.add_configured();
        keys
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
        let settings = KeySettings { number, name, transport, recovery, health, expected, timings };
        self.keys.push(Key::start(settings, self.keyring.clone(), self.nonces.clone(), self.inlet.clone())?);
        self.made = number;
        Ok(number)
    }

    /// Returns whether the key at `path` is driven, under any name.
    fn has_key_at(&self, path: &Path) -> bool {
        let found = find::behind(path);
        let same_path = |key: &Key| matches!(key.name(), Name::Path(other) if other == path);
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
            return Reply::error(format!("{MOST_KEYS} keys are driven already: remove some first"));
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

    /// Keeps the account of a released key, and adds up those whose threads have ended.
    fn note_departing(&mut self, key: &Key) {
        let departed = &mut self.departed;
        self.departing.retain(|key| {
            let goes_on = key.is_in_use();
            if !goes_on {
                *departed += key.books();
            }
            goes_on
        });
        self.departing.push(key.record());
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
        for key in settled {
            let Some(serial) = &key.serial else { continue };
            if self.config.discover && !self.is_driven(&key) && !self.discovery.is_removed(serial) {
                tracing::info!(%serial, port = %key.port, "a key was plugged in");
                if let Err(error) = self.add(Name::Serial(serial.clone()), serial.parse().ok()) {
                    tracing::error!("{error}");
                }
            }
        }
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
        let (gone, kept): (Vec<Key>, Vec<Key>) = std::mem::take(&mut self.keys).into_iter().partition(|key| {
            let before = entry(&self.config, key);
            other_transport || (before.is_some() && before != entry(&config.keys, key))
        });
        self.keys = kept;
        for key in gone {
            self.note_departing(&key);
            key.command(KeyCommand::Stop);
        }
        self.config = config.keys.clone();
        self.add_configured();
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
