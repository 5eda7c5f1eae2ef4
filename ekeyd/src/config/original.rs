//! The original daemon's configuration, `ekeyd.conf`, as this daemon understands it.
//!
//! Outputs that it does not name are off, and no key is used but those it names: whoever kept that file gets what it says.

use std::path::Path;

use ekey_control::OriginalConfig;
use ekey_control::original::{EgdSocket, KeyNode, Placed};
use nix::unistd::{Group, User};

use super::error::{ConfigError, Mistake};
use super::listen::Listen;
use super::read::shown;
use super::{Config, Egd, File, Kernel, KeyPath, Keys};

/// Reads `text`, the content of `file`.
pub(super) fn config(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let (original, found) = OriginalConfig::read(text);
    let place = |line, column, what| Mistake { file: file.to_owned(), line, column, what };
    let found = found.into_iter().map(|mistake| place(mistake.line, mistake.column, mistake.what));
    let mut mistakes: Vec<Mistake> = found.collect();
    mistakes.extend(refused(&original).into_iter().map(|Placed { line, column, value }| place(line, column, value)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(understood(original)) } else { Err(ConfigError::Mistakes(mistakes)) }
}

/// What the file asks for in due form, and this daemon or this machine has not.
fn refused(original: &OriginalConfig) -> Vec<Placed<String>> {
    let mut refused = Vec::new();
    for Placed { line, column, value } in &original.egd {
        let EgdSocket::Unix { user, group, .. } = value else { continue };
        let (line, column) = (*line, *column);
        if let Some(user) = user.as_deref().filter(|user| !matches!(User::from_name(user), Ok(Some(_)))) {
            let value = format!(
                "EGDUnixSocket: this machine has no user `{}`; add it (adduser --system), or name another",
                shown(user)
            );
            refused.push(Placed { line, column, value });
        }
        if let Some(group) = group.as_deref().filter(|group| !matches!(Group::from_name(group), Ok(Some(_)))) {
            let value = format!(
                "EGDUnixSocket: this machine has no group `{}`; add it (addgroup --system), or name another",
                shown(group)
            );
            refused.push(Placed { line, column, value });
        }
    }
    refused
}

fn understood(original: OriginalConfig) -> Config {
    let due = Config::default();
    // This daemon stays in the foreground, whatever `Daemonise` says: the service manager does the rest.
    Config {
        keyring: original.keyring.map_or(due.keyring, |path| path.value),
        control: original.unix_control.map_or(due.control, |path| path.value),
        control_tcp: original.tcp_control.map(|port| port.value),
        keys: Keys {
            discover: false,
            paths: original.keys.into_iter().map(|key| key_path(key.value)).collect(),
            folders: original.folders.into_iter().map(|folder| folder.value).collect(),
            ..due.keys
        },
        kernel: Kernel {
            enabled: original.kernel_bits.is_some(),
            bits_per_byte: original.kernel_bits.map_or(due.kernel.bits_per_byte, |bits| bits.value),
            ..due.kernel
        },
        egd: Egd { listen: places(original.egd), ..due.egd },
        file: original.file.map(|path| File { path: path.value, max_bytes: None }),
        ..due
    }
}

/// Each place once, as it is said first: `ekey-ctl config convert` leaves out what says it again, and tells so.
fn places(sockets: Vec<Placed<EgdSocket>>) -> Vec<Listen> {
    let mut once: Vec<EgdSocket> = Vec::new();
    for Placed { value: socket, .. } in sockets {
        if !once.iter().any(|before| before.is_at_the_place_of(&socket)) {
            once.push(socket);
        }
    }
    once.into_iter().map(listen).collect()
}

fn listen(socket: EgdSocket) -> Listen {
    match socket {
        EgdSocket::Unix { path, mode, user, group } => Listen::Unix { path, mode, user, group },
        EgdSocket::Tcp(address) => Listen::Tcp(address),
    }
}

fn key_path(KeyNode { path, serial }: KeyNode) -> KeyPath {
    KeyPath { path, serial }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("ekeyd.conf"), text)
    }

    #[test]
    fn a_file_as_the_original_is_shipped_with_is_understood() {
        let text = "-- comment\nUnixControlSocket \"/var/run/ekeyd.sock\"\nKeyring \"/etc/entropykey/keyring\"\n\
                    -- Daemonise(false)\nSetOutputToKernel(7)\nAddEntropyKeys \"/dev/entropykey\"\n\
                    AddEntropyKeys \"/var/run/entropykeys\"\n";
        let config = parse(text).unwrap();
        let due = Config::default();
        assert_eq!(config.control, Path::new("/var/run/ekeyd.sock"));
        assert_eq!(config.keyring, Path::new("/etc/entropykey/keyring"));
        assert_eq!(config.kernel, due.kernel);
        assert_eq!(config.egd.listen, [], "an output that is not named is off");
        assert_eq!(config.file, None);
        assert_eq!(config.keys.folders, [Path::new("/dev/entropykey"), Path::new("/var/run/entropykeys")]);
        assert!(!config.keys.discover, "no key is used but those that are named");
    }

    #[test]
    fn every_output_and_key_is_taken_over() {
        let config = parse(
            "SetOutputToFile(\"/tmp/entropy\")\nEGDUnixSocket \"/etc/entropy\"\n\
             EGDUnixSocket(\"/e\", \"0660\", \"\", \"daemon\")\nEGDTCPSocket(8888)\nEGDTCPSocket(\"8889\", \"::1\")\n\
             AddEntropyKey \"/dev/cuaU0\"\nAddEntropyKey(\"/dev/ttyACM0\", \"A/BvBlg3OTBJ+RFD\")\nDaemonise(true)\n",
        )
        .unwrap();
        assert_eq!(config.file, Some(File { path: "/tmp/entropy".into(), max_bytes: None }));
        assert!(!config.kernel.enabled);
        let group = Some("daemon".to_owned());
        let due = [
            Listen::unix("/etc/entropy"),
            Listen::Unix { path: "/e".into(), mode: Some(0o660), user: None, group },
            Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
            Listen::Tcp("[::1]:8889".parse().unwrap()),
        ];
        assert_eq!(config.egd.listen, due);
        let serial = Some("A/BvBlg3OTBJ+RFD".to_owned());
        let keys =
            [KeyPath { path: "/dev/cuaU0".into(), serial: None }, KeyPath { path: "/dev/ttyACM0".into(), serial }];
        assert_eq!(config.keys.paths, keys);
    }

    #[test]
    fn a_place_that_is_named_twice_is_listened_on_once_as_it_is_said_first() {
        let config = parse(
            "EGDUnixSocket(\"/e\", \"0600\")\nEGDTCPSocket(8888)\nEGDUnixSocket(\"//e\", \"0660\")\n\
             EGDTCPSocket(8888, \"127.0.0.1\")\nEGDTCPSocket(8888, \"::1\")\n",
        )
        .unwrap();
        let due = [
            Listen::Unix { path: "/e".into(), mode: Some(0o600), user: None, group: None },
            Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
            Listen::Tcp("[::1]:8888".parse().unwrap()),
        ];
        assert_eq!(config.egd.listen, due);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "TCPControlSocket \"1234\"\nSetOutputToKernel(9)\n  Keyring \"keyring\"\nKeyrings \"/k\"\nKeyring(\n\
                    EGDTCPSocket(0)\nEGDUnixSocket(\"/e\", \"rw\")\nEGDTCPSocket(1, \"here\")\nAddEntropyKey()\n\
                    AddEntropyKey(\"/k\", \"short\")\nKeyring(\"/a\", \"/b\")\nKeyring(5)\nKeyring \"\"\n";
        let refused = parse(text).unwrap_err().to_string();
        let dues = [
            "2:1: SetOutputToKernel: expected a whole number from 1 to 8",
            "3:3: Keyring: `keyring` is a relative path; expected an absolute one, such as `/keyring`",
            "4:1: unknown statement Keyrings; did you mean Keyring?",
            "5:8: this '(' is not closed on its line: end it with ')'",
            "6:1: EGDTCPSocket: expected a whole number from 1 to 65535",
            "7:1: EGDUnixSocket: `rw` is no mode; expected an octal one such as \"0660\"",
            "8:1: EGDTCPSocket: `here` is no address; expected one such as \"127.0.0.1\" or \"::1\"",
            "9:1: AddEntropyKey has no argument; expected a path and a serial number",
            "10:1: AddEntropyKey: `short` is no serial number; expected the 16 characters on the key (base64)",
            "11:1: Keyring has 2 arguments; expected a path",
            "12:1: Keyring: argument 1 must be a text in quotes",
            "13:1: Keyring: the path is empty; expected an absolute path",
        ];
        let seen: Vec<&str> = refused.lines().collect();
        let dues: Vec<String> = dues.iter().map(|due| format!("ekeyd.conf:{due}")).collect();
        assert_eq!(seen, dues);
    }
}
