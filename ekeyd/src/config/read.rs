//! The daemon's own configuration file: which sections and keys there are, and what each may be.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ekey_control::path::{check_path, check_socket_path};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::egd::{self, egd};
use super::error::{ConfigError, Source};
use super::section::{Notes, Section, inline, wrong_kind};
use super::{
    Config, File, Http, Kernel, KeyPath, Keys, Listen, Recovery, Transport, egd_client, expand, health, sandbox,
};

const TOP: &str = "the top of the file";

/// Every section with its keys.
pub(super) const KNOWN: &[(&str, &[&str])] = &[
    (
        TOP,
        &[
            "keyring",
            "control",
            "control-tcp",
            "keys",
            "recovery",
            "health",
            "kernel",
            "egd",
            "expand",
            "egd-client",
            "file",
            "http",
            "sandbox",
        ],
    ),
    ("[keys]", &["discover", "transport", "paths"]),
    ("[recovery]", &["silence-ms", "usb-reset", "port-power"]),
    ("[health]", &health::KEYS),
    ("[kernel]", &["enabled", "bits-per-byte", "interval-s"]),
    ("[egd]", egd::KEYS),
    ("[expand]", &expand::KEYS),
    ("[egd-client]", &egd_client::KEYS),
    ("[file]", &["path", "max-bytes"]),
    ("[http]", &["listen", "allow-remote"]),
    ("[sandbox]", &sandbox::KEYS),
];

/// Reads `text`, the content of `file`.
pub(super) fn config(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut syntax = Notes::new(source);
    for error in errors {
        let place = error.span().map_or(text.len(), |span| span.start);
        syntax.note(place, format!("this is no TOML: {}", error.message()));
    }
    let mut notes = Notes::new(source);
    let config = top(&mut notes, &table);

    let mut mistakes = syntax.into_mistakes();
    // On a line that could not be read, what was made of it says nothing about what was meant.
    let unread: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
    mistakes.extend(notes.into_mistakes().into_iter().filter(|mistake| !unread.contains(&mistake.line)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn top(notes: &mut Notes<'_>, table: &Spanned<DeTable<'_>>) -> Config {
    let due = Config::default();
    let top = Section::new(TOP, table);
    only_known(notes, &top);
    let client = section(notes, &top, "egd-client", "[egd-client]");
    let egd_client = egd_client::read(notes, &client);
    let health = section(notes, &top, "health", "[health]");
    let sandbox = section(notes, &top, "sandbox", "[sandbox]");
    let expand = section(notes, &top, "expand", "[expand]");
    let config = Config {
        keyring: top.path(notes, "keyring", check_path).unwrap_or(due.keyring),
        control: top.path(notes, "control", check_socket_path).unwrap_or(due.control),
        control_tcp: top.number(notes, "control-tcp", 1..=65_535).and_then(|port| u16::try_from(port).ok()),
        keys: keys(notes, &top, due.keys),
        recovery: recovery(notes, &top, &due.recovery),
        health: health::read(notes, &health),
        kernel: kernel(notes, &top, &due.kernel),
        egd: egd(notes, &top),
        expand: expand::read(notes, &expand),
        egd_client,
        file: output_file(notes, &top),
        http: http(notes, &top),
        sandbox: sandbox::read(notes, &sandbox),
    };
    note_clashes(notes, &top, &config);
    config
}

/// Notes each place that is to be two things at once: a keyring that the file output would overwrite, say.
fn note_clashes(notes: &mut Notes<'_>, top: &Section<'_>, config: &Config) {
    // The place of the value that comes last: the one to change, most likely.
    let value = |table: &str, key| {
        let within = top.value(table).and_then(|(_, table)| table.get_ref().as_table()?.get_key_value(key));
        within.map_or(0, |(_, value)| value.span().start)
    };
    let at_top = |key| top.value(key).map_or(0, |(at, _)| at);
    let (listen, path) = (value("egd", "listen"), value("file", "path"));
    let expand = value("expand", "listen");
    let place_of = |what: &str| match what {
        "the file output" => path,
        "an EGD socket" => listen,
        "a socket of [expand]" => expand,
        "the keyring" => at_top("keyring"),
        _ => at_top("control"),
    };
    let mut taken: Vec<(&str, &Path)> = Vec::new();
    let egd = config.egd.listen.iter().map(|listen| ("an EGD socket", listen));
    let expanded = config.expand.iter().flat_map(|expand| &expand.listen);
    let listens = egd.chain(expanded.map(|listen| ("a socket of [expand]", listen)));
    let sockets = listens.filter_map(|(what, listen)| match listen {
        Listen::Unix { path, .. } => Some((what, path.as_path())),
        _ => None,
    });
    let file = config.file.iter().map(|file| ("the file output", file.path.as_path()));
    let fixed = [("the keyring", config.keyring.as_path()), ("the control socket", config.control.as_path())];
    for (what, path) in fixed.into_iter().chain(sockets).chain(file) {
        if let Some((other, _)) = taken.iter().find(|(_, known)| *known == path) {
            // One of the two may be where it is by default, and stand nowhere.
            let place = place_of(what).max(place_of(other));
            notes.note(place, format!("`{}` is {other} and {what} at once; name another path", path.display()));
        }
        taken.push((what, path));
    }
}

fn keys(notes: &mut Notes<'_>, top: &Section<'_>, due: Keys) -> Keys {
    let section = section(notes, top, "keys", "[keys]");
    Keys {
        discover: section.flag(notes, "discover", due.discover),
        transport: transport(notes, &section).unwrap_or(due.transport),
        paths: key_paths(notes, &section).unwrap_or(due.paths),
        folders: due.folders,
    }
}

fn transport(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Transport> {
    let due = "`auto`, `tty` or `usb`";
    let (at, text) = section.text(notes, "transport", due)?;
    match text {
        "auto" => Some(Transport::Auto),
        "tty" => Some(Transport::Tty),
        "usb" => Some(Transport::Usb),
        other => {
            notes.note(at, format!("`transport` is `{}`; expected {due}", shown(other)));
            None
        }
    }
}

fn key_paths(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Vec<KeyPath>> {
    let entries = section.list(notes, "paths", "a list of paths")?;
    Some(entries.iter().filter_map(|entry| key_path(notes, entry)).collect())
}

fn key_path(notes: &mut Notes<'_>, entry: &Spanned<DeValue<'_>>) -> Option<KeyPath> {
    let at = entry.span().start;
    if let DeValue::String(path) = entry.get_ref() {
        let path = PathBuf::from(path.as_ref());
        if let Err(what) = check_path(&path) {
            notes.note(at, format!("`paths`: {what}"));
            return None;
        }
        return Some(KeyPath { path, serial: None });
    }
    let Some(table) = inline("an entry of `paths`", entry) else {
        wrong_kind(notes, "paths", entry, "a path, or { path = \"...\", serial = \"...\" }");
        return None;
    };
    table.expect_only(notes, &["path", "serial"], &[]);
    let serial = table.text(notes, "serial", "the 16 characters on the key").and_then(|(at, serial)| {
        if is_serial(serial) {
            return Some(serial.to_owned());
        }
        notes.note(at, format!("`serial` is `{}`; expected the 16 characters on the key (base64)", shown(serial)));
        None
    });
    if table.value("path").is_none() {
        notes.note(at, "this entry of `paths` has no `path`; expected { path = \"...\", serial = \"...\" }".to_owned());
    }
    Some(KeyPath { path: table.path(notes, "path", check_path)?, serial })
}

fn recovery(notes: &mut Notes<'_>, top: &Section<'_>, due: &Recovery) -> Recovery {
    let section = section(notes, top, "recovery", "[recovery]");
    Recovery {
        silence: section.number(notes, "silence-ms", 500..=600_000).map_or(due.silence, Duration::from_millis),
        usb_reset: section.flag(notes, "usb-reset", due.usb_reset),
        port_power: section.flag(notes, "port-power", due.port_power),
    }
}

fn kernel(notes: &mut Notes<'_>, top: &Section<'_>, due: &Kernel) -> Kernel {
    let section = section(notes, top, "kernel", "[kernel]");
    let bits = section.number(notes, "bits-per-byte", 1..=8);
    Kernel {
        enabled: section.flag(notes, "enabled", due.enabled),
        bits_per_byte: bits.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(due.bits_per_byte),
        interval: section.number(notes, "interval-s", 1..=3600).map_or(due.interval, Duration::from_secs),
    }
}

fn output_file(notes: &mut Notes<'_>, top: &Section<'_>) -> Option<File> {
    let section = section(notes, top, "file", "[file]");
    if !section.is_there() {
        return None;
    }
    if section.value("path").is_none() {
        notes.note(section.offset, "[file] has no `path`; expected an absolute path, or \"-\"".to_owned());
    }
    let max_bytes = section.number(notes, "max-bytes", 1..=i64::MAX.unsigned_abs());
    let standard_output = Path::new("-");
    let path = section.path(notes, "path", |path| if path == standard_output { Ok(()) } else { check_path(path) })?;
    Some(File { path, max_bytes })
}

fn http(notes: &mut Notes<'_>, top: &Section<'_>) -> Option<Http> {
    let section = section(notes, top, "http", "[http]");
    if !section.is_there() {
        return None;
    }
    let due = "an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"";
    let allow_remote = section.flag(notes, "allow-remote", false);
    if section.value("listen").is_none() {
        notes.note(section.offset, format!("[http] has no `listen`; expected {due}"));
    }
    let (at, text) = section.text(notes, "listen", due)?;
    match text.parse::<SocketAddr>() {
        Ok(listen) if listen.port() == 0 => {
            notes.note(at, format!("`listen` has port 0; expected {due}"));
            None
        }
        Ok(listen) if !listen.ip().is_loopback() && !allow_remote => {
            let what = format!(
                "`listen` is {listen}, which other machines reach, without a password and unencrypted; \
                 expected an address of this machine only, or `allow-remote = true` beside it"
            );
            notes.note(at, what);
            None
        }
        Ok(listen) => Some(Http { listen }),
        Err(_) => {
            notes.note(at, format!("`listen` is `{}`; expected {due}", shown(text)));
            None
        }
    }
}

pub(super) fn section<'v>(
    notes: &mut Notes<'_>,
    top: &Section<'v>,
    key: &'static str,
    name: &'static str,
) -> Section<'v> {
    let section = top.section(notes, key, name);
    only_known(notes, &section);
    section
}

fn only_known(notes: &mut Notes<'_>, section: &Section<'_>) {
    let known = KNOWN.iter().find(|(name, _)| *name == section.name).map_or(&[][..], |(_, keys)| keys);
    section.expect_only(notes, known, KNOWN);
}

/// Whether this can be a key's serial number: the base64 of 12 bytes, which is 16 characters without padding.
fn is_serial(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// A text from the file, fit for an error line.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_names_every_section_and_key() {
        let page = include_str!("../../../packaging/man/ekeyd.toml.5");
        let bold = |word: &str| {
            page.lines().any(|line| line == format!(".B {word}") || line.starts_with(&format!(".BR {word} ")))
        };
        let sections: Vec<&str> = KNOWN.iter().map(|(name, _)| name.trim_matches(['[', ']'])).collect();
        for (section, keys) in KNOWN {
            let heading = page
                .lines()
                .filter_map(|line| line.strip_prefix(".SH "))
                .any(|name| name.eq_ignore_ascii_case(section));
            assert!(heading, "{section} has no heading");
            for key in keys.iter().filter(|key| !sections.contains(key)) {
                assert!(bold(key), "`{key}` of {section} is missing");
            }
        }
    }
}
