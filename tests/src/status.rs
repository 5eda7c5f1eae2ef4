//! The machine-readable status (`ekey-ctl status --json`), with every field name that a test relies on.

use std::fmt;

use serde_json::Value;

use crate::program::Finished;

/// One whole status.
#[derive(Debug, Clone)]
pub struct Status {
    root: Value,
    code: Option<i32>,
}

/// One key's part of it.
#[derive(Debug, Clone, Copy)]
pub struct KeyStatus<'a>(&'a Value);

impl Status {
    /// Parses what `ekey-ctl status --json` printed.
    ///
    /// # Panics
    /// When that is not JSON.
    #[must_use]
    pub fn of(finished: &Finished) -> Self {
        let root = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("`ekey-ctl status --json` gave no JSON ({error}): {finished:?}"));
        Self { root, code: finished.code }
    }

    /// Returns the exit code: 0 all keys run, 1 some do not, 2 none does, 3 no daemon.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// Returns the whole JSON.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// Returns how many keys are listed.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.root["keys"].as_array().map_or(0, Vec::len)
    }

    /// Returns the key with this number, from 0.
    ///
    /// # Panics
    /// When there are fewer keys.
    #[must_use]
    pub fn key(&self, number: usize) -> KeyStatus<'_> {
        let key = self.root["keys"].get(number);
        KeyStatus(key.unwrap_or_else(|| panic!("no key {number} in {self}")))
    }

    /// Returns the key whose path is `path`.
    #[must_use]
    pub fn key_at(&self, path: &str) -> Option<KeyStatus<'_>> {
        let keys = self.root["keys"].as_array()?;
        keys.iter().find(|key| key["path"] == path).map(KeyStatus)
    }

    /// Returns the value at `place`, a JSON pointer such as `/egd_client/requests`.
    ///
    /// # Panics
    /// When there is no value.
    #[must_use]
    pub fn at(&self, place: &str) -> &Value {
        self.root.pointer(place).unwrap_or_else(|| panic!("nothing at {place} of {self}"))
    }

    /// Returns a count anywhere in the status, such as `/egd/0/clients`.
    ///
    /// # Panics
    /// When there is no count there.
    #[must_use]
    pub fn count(&self, place: &str) -> u64 {
        self.at(place).as_u64().unwrap_or_else(|| panic!("no count at {place} of {self}"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#} (exit {:?})", self.root, self.code)
    }
}

impl<'a> KeyStatus<'a> {
    /// Returns the name of its state, such as `running` or `self-stopped`.
    ///
    /// # Panics
    /// When the status does not name one.
    #[must_use]
    pub fn state(self) -> &'a str {
        self.text("/state/name")
    }

    /// Returns the step that the daemon tries in order to revive it, such as `pause`; only in the state `recovering`.
    ///
    /// # Panics
    /// When the status does not say.
    #[must_use]
    pub fn rung(self) -> &'a str {
        self.text("/state/rung")
    }

    /// Returns how often the key was reset.
    ///
    /// # Panics
    /// When the status does not say.
    #[must_use]
    pub fn resets(self) -> u64 {
        self.count("/connection/resets")
    }

    /// Returns how often the key was revived.
    ///
    /// # Panics
    /// When the status does not say.
    #[must_use]
    pub fn recoveries(self) -> u64 {
        self.count("/recoveries")
    }

    /// Returns a counter of frames, such as `ok` or `mac_failures`.
    ///
    /// # Panics
    /// When there is no such counter.
    #[must_use]
    pub fn frames(self, name: &str) -> u64 {
        self.count(&format!("/frames/{name}"))
    }

    /// Returns the test that has failed, if the key is retired.
    #[must_use]
    pub fn failed_test(self) -> Option<&'a str> {
        self.0.pointer("/health/put_aside/test").and_then(Value::as_str)
    }

    /// Returns a count of its health, such as `tested_bytes` or `put_aside/at_byte`.
    ///
    /// # Panics
    /// When there is no such count.
    #[must_use]
    pub fn health(self, name: &str) -> u64 {
        // A key whose thread has just begun has none yet.
        if self.0.pointer("/health").is_some_and(Value::is_null) { 0 } else { self.count(&format!("/health/{name}")) }
    }

    /// Returns a count of its books, such as `handed_bytes`.
    ///
    /// # Panics
    /// When there is no such count.
    #[must_use]
    pub fn books(self, name: &str) -> u64 {
        self.count(&format!("/books/{name}"))
    }

    /// Returns the warnings in what the key reports of itself.
    #[must_use]
    pub fn warnings(self) -> Vec<&'a str> {
        let warnings = self.0.pointer("/health/warnings").and_then(Value::as_array);
        warnings.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn text(self, place: &str) -> &'a str {
        let text = self.0.pointer(place).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {place} of {:#}", self.0))
    }

    fn count(self, place: &str) -> u64 {
        let number = self.0.pointer(place).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no count at {place} of {:#}", self.0))
    }
}
