//! Translates the original daemon's configuration, `ekeyd.conf`.
//!
//! Only the outputs and keys that it names are used.

use std::path::Path;

use ekey_control::OriginalConfig;
use ekey_control::original::{EgdSocket, KeyNode, Placed};

use super::error::{ConfigError, Mistake};
use super::listen::{Listen, has_owner, no_owner};
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

/// Returns the users and groups that the file names and this machine does not have.
fn refused(original: &OriginalConfig) -> Vec<Placed<String>> {
    let mut refused = Vec::new();
    for Placed { line, column, value } in &original.egd {
        let EgdSocket::Unix { user, group, .. } = value else { continue };
        let owners = user.iter().map(|name| ("user", name)).chain(group.iter().map(|name| ("group", name)));
        refused.extend(owners.filter(|(kind, name)| !has_owner(kind, name)).map(|(kind, name)| {
            let value = format!("EGDUnixSocket: {}", no_owner(kind, name));
            Placed { line: *line, column: *column, value }
        }));
    }
    refused
}

fn understood(original: OriginalConfig) -> Config {
    let default = Config::default();
    // This daemon ignores `Daemonise` and stays in the foreground, for the service manager.
    Config {
        keyring: original.keyring.map_or(default.keyring, |path| path.value),
        control: original.unix_control.map_or(default.control, |path| path.value),
        control_tcp: original.tcp_control.map(|port| port.value),
        keys: Keys {
            discover: false,
            paths: original.keys.into_iter().map(|key| key_path(key.value)).collect(),
            folders: original.folders.into_iter().map(|folder| folder.value).collect(),
            ..default.keys
        },
        kernel: Kernel {
            enabled: original.kernel_bits.is_some(),
            bits_per_byte: original.kernel_bits.map_or(default.kernel.bits_per_byte, |bits| bits.value),
            ..default.kernel
        },
        egd: Egd { listen: places(original.egd), ..default.egd },
        file: original.file.map(|path| File { path: path.value, max_bytes: None }),
        ..default
    }
}

/// Returns each place once, as first stated: `ekey-ctl config convert` drops the later ones, with a note.
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
    fn the_originals_shipped_file_is_understood() {
        let text = "-- comment\nUnixControlSocket \"/var/run/ekeyd.sock\"\nKeyring \"/etc/entropykey/keyring\"\n\
                    -- Daemonise(false)\nSetOutputToKernel(7)\nAddEntropyKeys \"/dev/entropykey\"\n\
                    AddEntropyKeys \"/var/run/entropykeys\"\n";
        let config = parse(text).unwrap();
        let default = Config::default();
        assert_eq!(config.control, Path::new("/var/run/ekeyd.sock"));
        assert_eq!(config.keyring, Path::new("/etc/entropykey/keyring"));
        assert_eq!(config.kernel, default.kernel);
        assert_eq!(config.egd.listen, [], "outputs not named are off");
        assert_eq!(config.file, None);
        assert_eq!(config.keys.folders, [Path::new("/dev/entropykey"), Path::new("/var/run/entropykeys")]);
        assert!(!config.keys.discover, "only the keys named are used");
    }

    #[test]
    fn every_output_and_key_reaches_its_field() {
        let config = parse(
            "SetOutputToFile(\"/tmp/entropy\")\nEGDUnixSocket \"/etc/entropy\"\n\
             EGDUnixSocket(\"/e\", \"0660\", \"\", \"daemon\")\nEGDTCPSocket(8888)\nEGDTCPSocket(\"8889\", \"::1\")\n\
             AddEntropyKey \"/dev/cuaU0\"\nAddEntropyKey(\"/dev/ttyACM0\", \"A/BvBlg3OTBJ+RFD\")\nDaemonise(true)\n",
        )
        .unwrap();
        assert_eq!(config.file, Some(File { path: "/tmp/entropy".into(), max_bytes: None }));
        assert!(!config.kernel.enabled);
        let group = Some("daemon".to_owned());
        let expected = [
            Listen::unix("/etc/entropy"),
            Listen::Unix { path: "/e".into(), mode: Some(0o660), user: None, group },
            Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
            Listen::Tcp("[::1]:8889".parse().unwrap()),
        ];
        assert_eq!(config.egd.listen, expected);
        let serial = Some("A/BvBlg3OTBJ+RFD".to_owned());
        let keys =
            [KeyPath { path: "/dev/cuaU0".into(), serial: None }, KeyPath { path: "/dev/ttyACM0".into(), serial }];
        assert_eq!(config.keys.paths, keys);
    }

    #[test]
    fn of_a_place_named_twice_the_first_counts() {
        let config = parse(
            "EGDUnixSocket(\"/e\", \"0600\")\nEGDTCPSocket(8888)\nEGDUnixSocket(\"//e\", \"0660\")\n\
             EGDTCPSocket(8888, \"127.0.0.1\")\nEGDTCPSocket(8888, \"::1\")\n",
        )
        .unwrap();
        let expected = [
            Listen::Unix { path: "/e".into(), mode: Some(0o600), user: None, group: None },
            Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
            Listen::Tcp("[::1]:8888".parse().unwrap()),
        ];
        assert_eq!(config.egd.listen, expected);
    }
}
