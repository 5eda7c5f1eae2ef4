//! The original daemon's configuration, `ekeyd.conf`, as this daemon understands it.
//!
//! Its statements are read, not run. Outputs that it does not name are off, and no key is used but those it names: whoever kept
//! that file gets what it says. A file may name several outputs here, where the original took one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ekey_control::statement::{Statement, Value, read_file};

use super::error::{ConfigError, Mistake};
use super::listen::{Listen, check_path, check_socket_path};
use super::nearest::nearest;
use super::read::{is_serial, shown};
use super::{Config, Egd, File, Kernel, KeyPath, Keys};

const KNOWN: [&str; 10] = [
    "Keyring",
    "UnixControlSocket",
    "TCPControlSocket",
    "SetOutputToKernel",
    "SetOutputToFile",
    "EGDUnixSocket",
    "EGDTCPSocket",
    "AddEntropyKey",
    "AddEntropyKeys",
    "Daemonise",
];

/// Reads `text`, the content of `file`.
pub(super) fn config(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let (statements, errors) = read_file(text);
    let mut mistakes: Vec<Mistake> =
        errors.into_iter().map(|error| mistake(file, error.line, error.column, error.mistake.to_string())).collect();
    let mut config = nothing_named();
    for (line, statement) in statements {
        if let Err(what) = apply(&mut config, &statement) {
            let column = text.lines().nth(line - 1).map_or(1, |line| column_of(line, &statement.name));
            mistakes.push(mistake(file, line, column, what));
        }
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn mistake(file: &Path, line: usize, column: usize, what: String) -> Mistake {
    Mistake { file: file.to_owned(), line, column, what }
}

fn column_of(line: &str, name: &str) -> usize {
    line.find(name).and_then(|at| line.get(..at)).map_or(1, |before| before.chars().count() + 1)
}

fn nothing_named() -> Config {
    let due = Config::default();
    Config {
        keys: Keys { discover: false, ..due.keys },
        kernel: Kernel { enabled: false, ..due.kernel },
        egd: Egd { listen: Vec::new(), ..due.egd },
        ..due
    }
}

fn apply(config: &mut Config, statement: &Statement) -> Result<(), String> {
    let args = Arguments { name: &statement.name, values: &statement.args };
    match statement.name.as_str() {
        "Keyring" => config.keyring = args.only("a path")?.path(0, check_path)?,
        "UnixControlSocket" => config.control = args.only("a path")?.path(0, check_socket_path)?,
        "TCPControlSocket" => {
            return Err(
                "TCPControlSocket is not available, since anybody on this machine could command the daemon by it; \
                        give scripts the unix socket, and leave the line out"
                    .to_owned(),
            );
        }
        "SetOutputToKernel" => {
            config.kernel.bits_per_byte = args.only("the bits for each byte")?.number(0, 1, 8)?;
            config.kernel.enabled = true;
        }
        "SetOutputToFile" => {
            config.file = Some(File { path: args.only("a path")?.path(0, check_path)?, max_bytes: None });
        }
        "EGDUnixSocket" => config.egd.listen.push(unix_socket(&args.up_to(4, "a path, mode, user and group")?)?),
        "EGDTCPSocket" => config.egd.listen.push(tcp_socket(&args.up_to(2, "a port and an address")?)?),
        "AddEntropyKey" => config.keys.paths.push(key(&args.up_to(2, "a path and a serial number")?)?),
        "AddEntropyKeys" => config.keys.folders.push(args.only("a folder")?.path(0, check_path)?),
        // This daemon stays in the foreground, whichever is asked for: the service manager does the rest.
        "Daemonise" => {}
        other => {
            let advice = match nearest(other, KNOWN) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("expected one of {}", KNOWN.join(", ")),
            };
            return Err(format!("unknown statement {}; {advice}", shown(other)));
        }
    }
    Ok(())
}

fn unix_socket(args: &Arguments<'_>) -> Result<Listen, String> {
    let mode = match args.text(1)? {
        None => None,
        Some(octal) => Some(octal_mode(octal).ok_or_else(|| {
            format!("{}: `{}` is no mode; expected an octal one such as \"0660\"", args.name, shown(octal))
        })?),
    };
    let owner = |index| Ok::<_, String>(args.text(index)?.map(ToOwned::to_owned));
    Ok(Listen::Unix { path: args.path(0, check_socket_path)?, mode, user: owner(2)?, group: owner(3)? })
}

fn octal_mode(text: &str) -> Option<u32> {
    let is_octal = text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
}

fn tcp_socket(args: &Arguments<'_>) -> Result<Listen, String> {
    let port = args.number(0, 1, u16::MAX)?;
    let address = match args.text(1)? {
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(text) => text.parse().map_err(|_| {
            format!("{}: `{}` is no address; expected one such as \"127.0.0.1\" or \"::1\"", args.name, shown(text))
        })?,
    };
    Ok(Listen::Tcp(SocketAddr::new(address, port)))
}

fn key(args: &Arguments<'_>) -> Result<KeyPath, String> {
    let path = args.path(0, check_path)?;
    let serial = args.text(1)?;
    match serial {
        Some(serial) if !is_serial(serial) => Err(format!(
            "{}: `{}` is no serial number; expected the 16 characters on the key (base64)",
            args.name,
            shown(serial)
        )),
        _ => Ok(KeyPath { path, serial: serial.map(ToOwned::to_owned) }),
    }
}

/// What a statement was given, asked by position.
struct Arguments<'s> {
    name: &'s str,
    values: &'s [Value],
}

impl Arguments<'_> {
    fn only(self, due: &str) -> Result<Self, String> {
        match self.values.len() {
            1 => Ok(self),
            count => Err(format!("{} has {count} arguments; expected {due}", self.name)),
        }
    }

    fn up_to(self, most: usize, due: &str) -> Result<Self, String> {
        match self.values.len() {
            0 => Err(format!("{} has no argument; expected {due}", self.name)),
            count if count > most => Err(format!("{} has {count} arguments; expected {due}", self.name)),
            _ => Ok(self),
        }
    }

    /// The text there, if any; the original takes an empty one for none.
    fn text(&self, index: usize) -> Result<Option<&str>, String> {
        match self.values.get(index) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("{}: argument {} must be a text in quotes", self.name, index + 1)),
        }
    }

    fn path(&self, index: usize, check: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
        let path = PathBuf::from(self.text(index)?.unwrap_or_default());
        check(&path).map_err(|what| format!("{}: {what}", self.name))?;
        Ok(path)
    }

    /// A whole number; in quotes as well, since the original takes it either way.
    fn number<N>(&self, index: usize, least: N, most: N) -> Result<N, String>
    where
        N: TryFrom<u64> + PartialOrd + Copy + std::fmt::Display,
    {
        let number = match self.values.get(index) {
            Some(Value::Text(text)) => text.parse().ok(),
            Some(value) => value.as_whole(),
            None => None,
        };
        number
            .and_then(|number| N::try_from(number).ok())
            .filter(|number| *number >= least && *number <= most)
            .ok_or_else(|| format!("{}: expected a whole number from {least} to {most}", self.name))
    }
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
             EGDUnixSocket(\"/e\", \"0660\", \"\", \"entropyusers\")\nEGDTCPSocket(8888)\nEGDTCPSocket(\"8889\", \"::1\")\n\
             AddEntropyKey \"/dev/cuaU0\"\nAddEntropyKey(\"/dev/ttyACM0\", \"A/BvBlg3OTBJ+RFD\")\nDaemonise(true)\n",
        )
        .unwrap();
        assert_eq!(config.file, Some(File { path: "/tmp/entropy".into(), max_bytes: None }));
        assert!(!config.kernel.enabled);
        let group = Some("entropyusers".to_owned());
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
    fn every_mistake_is_told_with_its_place() {
        let text = "TCPControlSocket \"1234\"\nSetOutputToKernel(9)\n  Keyring \"keyring\"\nKeyrings \"/k\"\nKeyring(\n\
                    EGDTCPSocket(0)\nEGDUnixSocket(\"/e\", \"rw\")\nEGDTCPSocket(1, \"here\")\nAddEntropyKey()\n\
                    AddEntropyKey(\"/k\", \"short\")\nKeyring(\"/a\", \"/b\")\nKeyring(5)\nKeyring \"\"\n";
        let refused = parse(text).unwrap_err().to_string();
        let dues = [
            "1:1: TCPControlSocket is not available, since anybody on this machine could command the daemon by it; give \
             scripts the unix socket, and leave the line out",
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
