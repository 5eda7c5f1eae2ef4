//! Commands: the statements that mean something on the control socket, with their arguments checked.
//!
//! The names and arguments are the original's (ekeydctl(8)), `Status`, `History` and `Forget` are ours. Unlike the original, we
//! reject an unknown name, and the statements that configure the daemon: the socket must not be a second, unwritten configuration.

use std::fmt;

use thiserror::Error;

use super::statement::{Mistake, Statement, Value, parse_line};
use ekey_link::revive::Rung;

/// A command of a client to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A line for each key.
    ListEntropyKeys,
    /// The numbers of one key. The text is a tag: see [`crate::tag`].
    StatEntropyKey(String),
    /// Drive the key at a path; with a serial number, only if it is that key.
    AddEntropyKey {
        /// A tty or a unix socket.
        path: String,
        /// The 16 characters of the serial number that is expected there.
        serial: Option<String>,
    },
    /// Drive every key whose node is in a directory.
    AddEntropyKeys(String),
    /// Release a key, named by its tag.
    RemoveEntropyKey(String),
    /// Do one step of reviving a key now. Its result is in the status.
    ResetEntropyKey {
        /// Which key.
        tag: String,
        /// The step: soft, reopen, usb or port.
        level: Level,
    },
    /// Read this keyring from now on.
    Keyring(String),
    /// Wipe everything that is held, and begin new sessions.
    Forget,
    /// Stop the daemon.
    Shutdown,
    /// The whole [`Status`](crate::Status) as one line of JSON.
    Status,
    /// The [`History`](crate::History) as one line of JSON.
    History,
}

/// A step of reviving a key that a person may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `^C`.
    Soft,
    /// Close the link and open it again.
    Reopen,
    /// Reset the USB device.
    Usb,
    /// Switch the port's power off and on.
    Port,
}

impl Level {
    /// All of them, mildest first.
    pub const ALL: [Self; 4] = [Self::Soft, Self::Reopen, Self::Usb, Self::Port];

    /// Returns its name on the socket and the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Reopen => "reopen",
            Self::Usb => "usb",
            Self::Port => "port",
        }
    }

    /// Returns its rung of the ladder.
    pub fn rung(self) -> Rung {
        match self {
            Self::Soft => Rung::Soft,
            Self::Reopen => Rung::Reopen,
            Self::Usb => Rung::UsbReset,
            Self::Port => Rung::PortPower,
        }
    }
}

const NAMES: [&str; 11] = [
    "ListEntropyKeys",
    "StatEntropyKey",
    "AddEntropyKey",
    "AddEntropyKeys",
    "RemoveEntropyKey",
    "ResetEntropyKey",
    "Keyring",
    "Forget",
    "Shutdown",
    "Status",
    "History",
];

const CONFIGURATION: [&str; 7] = [
    "SetOutputToKernel",
    "SetOutputToFile",
    "EGDUnixSocket",
    "EGDTCPSocket",
    "UnixControlSocket",
    "TCPControlSocket",
    "Daemonise",
];

impl Command {
    /// Parses a line from the socket, without its line end. Returns `None` for a blank line or a comment; the original answers `OK`.
    pub fn parse(line: impl AsRef<[u8]>) -> Result<Option<Self>, CommandError> {
        match parse_line(line) {
            Ok(None) => Ok(None),
            Ok(Some(statement)) => Self::from_statement(&statement).map(Some),
            Err(error) => Err(CommandError::Syntax { column: error.column, mistake: error.mistake }),
        }
    }

    /// Checks the name and the arguments of a statement.
    pub fn from_statement(statement: &Statement) -> Result<Self, CommandError> {
        let args = Args { name: &statement.name, args: &statement.args };
        match statement.name.as_str() {
            "ListEntropyKeys" => args.none(Self::ListEntropyKeys),
            "Forget" => args.none(Self::Forget),
            "Shutdown" => args.none(Self::Shutdown),
            "Status" => args.none(Self::Status),
            "History" => args.none(Self::History),
            "StatEntropyKey" => args.tag().map(Self::StatEntropyKey),
            "RemoveEntropyKey" => args.tag().map(Self::RemoveEntropyKey),
            "ResetEntropyKey" => {
                let (tag, level) = args.tag_and_level()?;
                Ok(Self::ResetEntropyKey { tag, level })
            }
            "AddEntropyKey" => Ok(Self::AddEntropyKey { path: args.path(2)?, serial: args.serial()? }),
            "AddEntropyKeys" => args.path(1).map(Self::AddEntropyKeys),
            "Keyring" => args.path(1).map(Self::Keyring),
            name if CONFIGURATION.contains(&name) => Err(CommandError::Configuration { name: name.to_owned() }),
            name => Err(CommandError::Unknown { name: name.to_owned() }),
        }
    }

    /// Returns what the command does, for a person: what stands after "to".
    pub fn purpose(&self) -> String {
        match self {
            Self::ListEntropyKeys => "list its keys".to_owned(),
            Self::StatEntropyKey(tag) => format!("show the counters of key {tag}"),
            Self::AddEntropyKey { path, .. } => format!("drive the key at {path}"),
            Self::AddEntropyKeys(folder) => format!("drive the keys in {folder}"),
            Self::RemoveEntropyKey(tag) => format!("release key {tag}"),
            Self::ResetEntropyKey { tag, level } => format!("reset key {tag} (level {})", level.word()),
            Self::Keyring(path) => format!("read the keyring {path}"),
            Self::Forget => "wipe all the entropy that it holds".to_owned(),
            Self::Shutdown => "stop".to_owned(),
            Self::Status => "give its status".to_owned(),
            Self::History => "give its history".to_owned(),
        }
    }

    /// Whether the command changes nothing.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ListEntropyKeys | Self::StatEntropyKey(_) | Self::Status | Self::History => true,
            Self::AddEntropyKey { .. }
            | Self::AddEntropyKeys(_)
            | Self::RemoveEntropyKey(_)
            | Self::ResetEntropyKey { .. }
            | Self::Keyring(_)
            | Self::Forget
            | Self::Shutdown => false,
        }
    }

    /// The command as a statement; [`Command::from_statement`] gives it back.
    pub fn to_statement(&self) -> Statement {
        let text = |text: &String| Value::Text(text.clone());
        let (name, args) = match self {
            Self::ListEntropyKeys => ("ListEntropyKeys", Vec::new()),
            Self::StatEntropyKey(tag) => ("StatEntropyKey", vec![text(tag)]),
            Self::AddEntropyKey { path, serial } => {
                ("AddEntropyKey", vec![text(path), serial.as_ref().map_or(Value::Nil, text)])
            }
            Self::AddEntropyKeys(directory) => ("AddEntropyKeys", vec![text(directory)]),
            Self::RemoveEntropyKey(tag) => ("RemoveEntropyKey", vec![text(tag)]),
            Self::ResetEntropyKey { tag, level } => {
                ("ResetEntropyKey", vec![text(tag), Value::Text(level.word().to_owned())])
            }
            Self::Keyring(path) => ("Keyring", vec![text(path)]),
            Self::Forget => ("Forget", Vec::new()),
            Self::Shutdown => ("Shutdown", Vec::new()),
            Self::Status => ("Status", Vec::new()),
            Self::History => ("History", Vec::new()),
        };
        Statement { name: name.to_owned(), args }
    }
}

/// The line that a client sends, without its line end.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_statement().fmt(f)
    }
}

/// Why a line is not a command. The client is at fault; the text goes back to it after `ERROR`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The line is not a statement.
    #[error("column {column}: {mistake}")]
    Syntax {
        /// Where, in characters from 1.
        column: usize,
        /// What.
        mistake: Mistake,
    },
    /// An unknown name.
    #[error("'{name}' is not a command; there are {}", NAMES.join(", "))]
    Unknown {
        /// As the client wrote it.
        name: String,
    },
    /// A statement for the configuration file.
    #[error("'{name}' configures the daemon: write it into the configuration file and restart")]
    Configuration {
        /// As the client wrote it.
        name: String,
    },
    /// Too many, too few or the wrong arguments.
    #[error("{name}: {expected}")]
    Arguments {
        /// The command.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
}

struct Args<'a> {
    name: &'a str,
    args: &'a [Value],
}

impl Args<'_> {
    fn wrong(&self, expected: &'static str) -> CommandError {
        CommandError::Arguments { name: self.name.to_owned(), expected }
    }

    fn none(&self, command: Command) -> Result<Command, CommandError> {
        if self.args.is_empty() { Ok(command) } else { Err(self.wrong("takes no argument")) }
    }

    /// A tag may be written as a bare number, as the original allows.
    fn tag(&self) -> Result<String, CommandError> {
        let tag = match self.args {
            [Value::Text(tag)] if !tag.contains('\0') => tag.clone(),
            [number] => number.as_whole().map(|number| number.to_string()).unwrap_or_default(),
            _ => String::new(),
        };
        if tag.is_empty() {
            Err(self.wrong("takes one key: its serial number, its number, its path or the end of its path"))
        } else {
            Ok(tag)
        }
    }

    fn tag_and_level(&self) -> Result<(String, Level), CommandError> {
        let level = match self.args {
            [_, Value::Text(word)] => Level::ALL.into_iter().find(|level| level.word() == word),
            _ => None,
        };
        let level = level.ok_or_else(|| self.wrong("takes a key and one of soft, reopen, usb, port"))?;
        let tag = Self { name: self.name, args: &self.args[..1] }.tag()?;
        Ok((tag, level))
    }

    fn path(&self, most: usize) -> Result<String, CommandError> {
        match self.args {
            [Value::Text(path), ..] if self.args.len() <= most && !path.is_empty() && !path.contains('\0') => {
                Ok(path.clone())
            }
            _ if most == 2 => Err(self.wrong("takes a path in quotes and, if need be, a serial number")),
            _ => Err(self.wrong("takes one path in quotes")),
        }
    }

    fn serial(&self) -> Result<Option<String>, CommandError> {
        match self.args.get(1) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Text(serial)) if is_serial(serial) => Ok(Some(serial.clone())),
            Some(_) => Err(self.wrong("the serial number has 16 characters out of A-Z a-z 0-9 + and /")),
        }
    }
}

/// Whether a word is the name of a command.
pub(super) fn is_name(word: &str) -> bool {
    NAMES.contains(&word)
}

/// Whether this can be a key's serial number: the base64 of 12 bytes, which is 16 characters without padding.
pub(crate) fn is_serial(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}
