//! What the commands of the control socket do.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use ekey_control::{Command, KeyStatus, Reply, original, tag};
use ekey_link::find;
use ekey_proto::Serial;
use mio::event::Event;

use super::Daemon;
use crate::source::key::{Key, KeyCommand, Name};

/// Keys at a time; more is a mistake, such as naming `/dev` as the folder of keys.
const MOST_KEYS: usize = 256;
/// What to do where the daemon may not look.
const ANOTHER_FOLDER: &str = "let its user in, or name the folder below /dev, or its keys in [keys] paths";
/// How long everything else may wait for a key that is to be let go of.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

impl Daemon {
    pub(super) fn handle_control(&mut self, event: &Event) {
        if let Some(asked) = self.control.handle(event, self.poll.registry()) {
            let reply = self.obey(&asked.command);
            self.control.answer(&asked, &reply, self.poll.registry());
        }
    }

    fn obey(&mut self, command: &Command) -> Reply {
        match command {
            Command::ListEntropyKeys => Reply::lines(original::list_lines(&self.status().keys)),
            Command::StatEntropyKey(tag) => match tag::find(&self.status().keys, tag) {
                Some(key) => Reply::lines(original::stat_lines(key)),
                None => no_such_key(tag),
            },
            Command::AddEntropyKey { path, serial } => self.add_named_key(path, serial.as_deref()),
            Command::AddEntropyKeys(folder) => self.add_keys_of(Path::new(folder)),
            Command::RemoveEntropyKey(tag) => self.remove_key(tag),
            Command::ResetEntropyKey { tag, level } => match self.find_key(tag) {
                Some(at) => {
                    self.keys[at].command(KeyCommand::Try(level.rung()));
                    Reply::ok()
                }
                None => no_such_key(tag),
            },
            Command::Keyring(path) => match self.read_keyring(Path::new(path)) {
                Ok(count) => {
                    self.tell_keys_of_keyring();
                    Reply::ok_with(format!("{count} key(s)"))
                }
                Err(error) => Reply::error(error),
            },
            Command::Shutdown => {
                self.stopping = true;
                Reply::ok()
            }
            Command::History => match self.recorder.history().to_json() {
                Ok(json) => Reply::lines([json]),
                Err(error) => Reply::error(error),
            },
            Command::Status => match self.status().to_json() {
                Ok(json) => Reply::lines([json]),
                Err(error) => Reply::error(error),
            },
        }
    }

    /// Starts the keys that the configuration names and that are not driven yet.
    pub(super) fn add_configured_keys(&mut self) {
        for key in self.config.keys.paths.clone() {
            if self.has_key_at(&key.path) {
                continue;
            }
            let expected = key.serial.as_ref().and_then(|serial| serial.parse().ok());
            if let Err(error) = self.add_key(Name::Path(key.path), expected) {
                tracing::error!("{error}");
            }
        }
        for folder in self.config.keys.folders.clone() {
            self.add_keys_of(&folder);
        }
    }

    /// Whether the key at `path` is driven, under whatever name.
    pub(super) fn has_key_at(&self, path: &Path) -> bool {
        let found = find::behind(path);
        let same_path = |key: &Key| matches!(key.name(), Name::Path(other) if other == path);
        self.keys.iter().any(|key| same_path(key) || found.as_ref().is_some_and(|found| key.is(found)))
    }

    pub(super) fn tell_keys_of_keyring(&self) {
        self.keys.iter().for_each(|key| key.command(KeyCommand::NewKeyring));
    }

    fn add_named_key(&mut self, path: &str, serial: Option<&str>) -> Reply {
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
            self.discovery.welcome(&found);
        }
        if self.keys.len() >= MOST_KEYS {
            return Reply::error(format!("{MOST_KEYS} keys are driven already: remove some first"));
        }
        match self.add_key(Name::Path(path), expected) {
            Ok(number) => Reply::added(&[number]),
            Err(error) => Reply::error(error),
        }
    }

    /// Starts every key of a folder. A folder that is not there has no keys, as with the original.
    fn add_keys_of(&mut self, folder: &Path) -> Reply {
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
            match self.add_key(Name::Path(path), None) {
                Ok(number) => added.push(number),
                Err(error) => tracing::error!("{error}"),
            }
        }
        Reply::added(&added)
    }

    fn remove_key(&mut self, tag: &str) -> Reply {
        let Some(at) = self.find_key(tag) else { return no_such_key(tag) };
        let key = self.keys.remove(at);
        self.ledger.part_with(&key);
        if let Some(serial) = key.status().known_serial() {
            self.discovery.set_aside(serial.to_owned());
        }
        let path = key.status().path;
        // Whoever asks wants the key for itself next: OK means that it can have it.
        if !key.release(RELEASE_PATIENCE) {
            return Reply::ok_with(format!("{path} will be let go of once what is being done to it has ended"));
        }
        Reply::ok()
    }

    fn find_key(&self, tag: &str) -> Option<usize> {
        let statuses: Vec<KeyStatus> = self.keys.iter().map(Key::status).collect();
        let number = tag::find(&statuses, tag)?.number;
        self.keys.iter().position(|key| key.number() == number)
    }
}

fn no_such_key(tag: &str) -> Reply {
    Reply::error(format!("there is no key `{tag}`: ListEntropyKeys names those that are driven"))
}
