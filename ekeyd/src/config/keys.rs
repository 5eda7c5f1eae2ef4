//! `[keys]`: which Entropy Keys to use.

use std::path::PathBuf;

use ekey_control::path::check_path;

use super::table::Table;
use super::value::Value;
use super::{Claim, Resource, Section};

/// `[keys]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Whether to use every key that appears on USB.
    pub discover: bool,
    /// How to reach the keys that are discovered.
    pub transport: Transport,
    /// Keys to use in addition.
    pub paths: Vec<KeyPath>,
    /// Folders of which every entry is a key; only the original's configuration names any (`AddEntropyKeys`).
    pub folders: Vec<PathBuf>,
}

/// How to reach a key that was discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// By its tty if it has one, else by USB.
    Auto,
    /// By its tty only.
    Tty,
    /// By USB only.
    Usb,
}

/// A key named by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPath {
    /// A tty or a unix socket; absolute.
    pub path: PathBuf,
    /// The serial number that the key there must have, 16 characters of base64; `None` accepts any key.
    pub serial: Option<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { discover: true, transport: Transport::Auto, paths: Vec::new(), folders: Vec::new() }
    }
}

impl Section for Keys {
    const NAME: &'static str = "keys";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        let transports = [("auto", Transport::Auto), ("tty", Transport::Tty), ("usb", Transport::Usb)];
        Some(Self {
            discover: table.flag("discover").unwrap_or(default.discover),
            transport: table.word("transport", &transports).unwrap_or(default.transport),
            paths: table.list("paths", "a list of paths", key_path).unwrap_or_default(),
            folders: default.folders,
        })
    }

    fn claims(&self) -> Vec<Claim> {
        let paths = self.paths.iter().map(|key| &key.path).chain(&self.folders);
        paths.map(|path| Self::claim("paths", Resource::Open(path.clone()))).collect()
    }
}

fn key_path<'v>(table: &mut Table<'v>, entry: Value<'v>) -> Option<KeyPath> {
    if entry.is_text() {
        return Some(KeyPath { path: table.path_of(entry, check_path)?, serial: None });
    }
    let form = "{ path = \"...\", serial = \"...\" }";
    table.entry(entry, "an entry of `paths`", &format!("a path, or {form}"), |fields| {
        fields.required("path", form);
        let path = fields.path("path", check_path);
        let serial = fields.parsed("serial", "the 16 characters on the key (base64)", |serial| {
            is_serial(serial).then(|| serial.to_owned())
        });
        Some(KeyPath { path: path?, serial })
    })
}

/// Returns whether a key can have this serial number: the base64 of 12 bytes, which is 16 characters without padding.
fn is_serial(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
