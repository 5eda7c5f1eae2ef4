//! Translates the original daemon's configuration, `ekeyd.conf`.
//!
//! Only the outputs and keys that it names are used.

use std::path::Path;

use ekey_control::OriginalConfig;
use ekey_control::original::{EgdSocket, KeyNode, Placed};

use super::error::{ConfigError, Mistake};
use super::listen::{Listen, has_owner, no_owner};
use super::value::shown;
use super::{Config, Egd, File, Kernel, KeyPath, Keys};

/// Reads `text`, the content of `file`.
pub(super) fn config(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let (original, found) = OriginalConfig::read(text);
    let place = |line, column, what| Mistake { file: file.to_owned(), line, column, what };
    let found = found.into_iter().map(|mistake| place(mistake.line, mistake.column, mistake.what));
    let mut mistakes: Vec<Mistake> = found.collect();
    let listen = places(&original.egd, |at, what| mistakes.push(place(at.line, at.column, what)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(understood(original, listen)) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn understood(original: OriginalConfig, listen: Vec<Listen>) -> Config {
    let default = Config::default();
    let control = once(original.unix_control);
    Config {
        keyring: original.keyring.map_or(default.keyring, |path| path.value),
        control: if control.is_empty() { default.control } else { control },
        control_tcp: once(original.tcp_control),
        daemonise: original.daemonise.is_none_or(|daemonise| daemonise.value),
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
        egd: Egd { listen, ..default.egd },
        file: original.file.map(|path| File { path: path.value, max_bytes: None }),
        ..default
    }
}

/// Returns each value once, as first stated.
fn once<T: PartialEq>(stated: Vec<Placed<T>>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for Placed { value, .. } in stated {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// Returns each place once, as first stated: `ekey-ctl config convert` drops the later ones, with a note. Calls `refuse` for each
/// socket whose user, group or host this machine does not know.
fn places(sockets: &[Placed<EgdSocket>], mut refuse: impl FnMut(&Placed<EgdSocket>, String)) -> Vec<Listen> {
    let mut once: Vec<Listen> = Vec::new();
    for socket in sockets {
        match listen(&socket.value) {
            Ok(place) if once.iter().any(|before| before.is_at_the_place_of(&place)) => {}
            Ok(place) => once.push(place),
            Err(problems) => problems.into_iter().for_each(|problem| refuse(socket, problem)),
        }
    }
    once
}

fn listen(socket: &EgdSocket) -> Result<Listen, Vec<String>> {
    match socket {
        EgdSocket::Unix { path, mode, user, group } => {
            let owners = user.iter().map(|name| ("user", name)).chain(group.iter().map(|name| ("group", name)));
            let missing = owners.filter(|(kind, name)| !has_owner(kind, name));
            let problems = missing.map(|(kind, name)| format!("EGDUnixSocket: {}", no_owner(kind, name)));
            let problems: Vec<String> = problems.collect();
            if !problems.is_empty() {
                return Err(problems);
            }
            // Without a mode the original makes it for its own user only.
            let mode = Some(mode.unwrap_or(0o600));
            Ok(Listen::Unix { path: path.clone(), mode, user: user.clone(), group: group.clone() })
        }
        EgdSocket::Tcp { host, port } => {
            let name = shown(&host.to_string());
            let problem = match host.resolve(*port) {
                Ok(Some(address)) => return Ok(Listen::Tcp(address)),
                Ok(None) => format!("EGDTCPSocket: `{name}` has no address"),
                Err(error) => format!("EGDTCPSocket: `{name}` cannot be resolved: {error}"),
            };
            Err(vec![format!("{problem}; correct the name, or write its address")])
        }
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
        assert_eq!(config.control, [Path::new("/var/run/ekeyd.sock")]);
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
            Listen::Unix { path: "/etc/entropy".into(), mode: Some(0o600), user: None, group: None },
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
    fn control_sockets_may_be_repeated() {
        let config = parse(
            "UnixControlSocket \"/one\"\nUnixControlSocket \"/two\"\nUnixControlSocket \"/one\"\n\
             TCPControlSocket \"1234\"\nTCPControlSocket(1235)\nTCPControlSocket(1234)\n",
        )
        .unwrap();
        assert_eq!(config.control, [Path::new("/one"), Path::new("/two")]);
        assert_eq!(config.control_tcp, [1234, 1235]);
    }

    #[test]
    fn a_mode_is_octal_with_and_without_quotes() {
        for mode in ["660", "0660", "\"660\"", "\"0660\"", "\" 660\"", "660.0"] {
            let config = parse(&format!("EGDUnixSocket(\"/e\", {mode})\n")).unwrap();
            let expected = Listen::Unix { path: "/e".into(), mode: Some(0o660), user: None, group: None };
            assert_eq!(config.egd.listen, [expected], "{mode}");
        }
        for mode in ["999", "4755", "\"rw-rw----\"", "true", "6.5", "\" \""] {
            let refused = parse(&format!("EGDUnixSocket(\"/e\", {mode})\n")).unwrap_err().to_string();
            assert!(refused.contains("EGDUnixSocket"), "{mode}: {refused}");
        }
    }

    #[test]
    fn hosts_are_what_the_original_binds() {
        for (host, expected) in [
            ("*", "0.0.0.0:8888"),
            ("localhost", "127.0.0.1:8888"),
            ("127.1", "127.0.0.1:8888"),
            ("0", "0.0.0.0:8888"),
            ("::", "[::]:8888"),
        ] {
            let config = parse(&format!("EGDTCPSocket(8888, \"{host}\")\n")).unwrap();
            assert_eq!(config.egd.listen, [Listen::Tcp(expected.parse().unwrap())], "{host}");
        }
        for host in ["no host", "a/b", "no-such-host.invalid"] {
            let refused = parse(&format!("EGDTCPSocket(8888, \"{host}\")\n")).unwrap_err().to_string();
            assert!(refused.contains("ekeyd.conf:1:1: EGDTCPSocket") && refused.contains(host), "{host}: {refused}");
        }
    }

    #[test]
    fn only_false_keeps_it_in_the_foreground() {
        for (text, expected) in
            [("", true), ("Daemonise(true)", true), ("Daemonise(false)", false), ("Daemonise \"no\"", true)]
        {
            assert_eq!(parse(text).unwrap().daemonise, expected, "{text}");
        }
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
