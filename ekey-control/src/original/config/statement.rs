//! Applies one statement of the file to the configuration.

use std::net::Ipv4Addr;

use super::arguments::Arguments;
use super::{EgdSocket, Host, KeyNode, OriginalConfig, Placed};
use crate::language::command::is_serial;
use crate::language::statement::{Statement, Value};
use crate::original::path::{check_path, check_socket_path};
use crate::words::nearest::nearest;

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

/// Applies a statement to `config`. The error says what is wrong with the statement.
pub(super) fn apply(
    config: &mut OriginalConfig,
    statement: &Statement,
    line: usize,
    column: usize,
) -> Result<(), String> {
    let args = Arguments { name: &statement.name, values: &statement.args };
    match statement.name.as_str() {
        "Keyring" => config.keyring = Some(Placed { line, column, value: args.only("a path")?.path(0, check_path)? }),
        "UnixControlSocket" => {
            let value = args.only("a path")?.path(0, check_socket_path)?;
            config.unix_control.push(Placed { line, column, value });
        }
        "TCPControlSocket" => {
            let value = args.only("a port")?.number(0, 1, u16::MAX)?;
            config.tcp_control.push(Placed { line, column, value });
        }
        "SetOutputToKernel" => {
            let value = args.only("the bits for each byte")?.number(0, 1, 8)?;
            config.kernel_bits = Some(Placed { line, column, value });
        }
        "SetOutputToFile" => {
            config.file = Some(Placed { line, column, value: args.only("a path")?.path(0, check_path)? });
        }
        "EGDUnixSocket" => {
            let value = unix_socket(&args.up_to(4, "a path, mode, user and group")?)?;
            config.egd.push(Placed { line, column, value });
        }
        "EGDTCPSocket" => {
            let value = tcp_socket(&args.up_to(2, "a port and an address")?)?;
            config.egd.push(Placed { line, column, value });
        }
        "AddEntropyKey" => {
            let value = key(&args.up_to(2, "a path and a serial number")?)?;
            config.keys.push(Placed { line, column, value });
        }
        "AddEntropyKeys" => {
            config.folders.push(Placed { line, column, value: args.only("a folder")?.path(0, check_path)? });
        }
        // As in Lua, anything but `false` and nothing is yes.
        "Daemonise" => {
            let value = !matches!(args.values.first(), None | Some(Value::Bool(false) | Value::Nil));
            config.daemonise = Some(Placed { line, column, value });
        }
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

fn unix_socket(args: &Arguments<'_>) -> Result<EgdSocket, String> {
    let mode = match args.digits(1)? {
        None => None,
        Some(octal) => Some(octal_mode(octal.trim()).ok_or_else(|| {
            format!("{}: `{}` is not a mode; expected an octal one such as \"0660\"", args.name, shown(&octal))
        })?),
    };
    let owner = |index| Ok::<_, String>(args.text(index)?.map(ToOwned::to_owned));
    Ok(EgdSocket::Unix { path: args.path(0, check_socket_path)?, mode, user: owner(2)?, group: owner(3)? })
}

/// Reads permission bits, at most 0777, as octal digits.
#[must_use]
pub fn octal_mode(text: &str) -> Option<u32> {
    let is_octal = !text.is_empty() && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
}

fn tcp_socket(args: &Arguments<'_>) -> Result<EgdSocket, String> {
    let port = args.number(0, 1, u16::MAX)?;
    let host = match args.text(1)? {
        None => Host::Address(Ipv4Addr::LOCALHOST.into()),
        Some(text) => Host::parse(text).ok_or_else(|| {
            let text = shown(text);
            format!(
                "{}: `{text}` is no address and no name; expected such as \"127.0.0.1\", \"::1\" or \"*\"",
                args.name
            )
        })?,
    };
    Ok(EgdSocket::Tcp { host, port })
}

fn key(args: &Arguments<'_>) -> Result<KeyNode, String> {
    let path = args.path(0, check_path)?;
    let serial = args.text(1)?;
    match serial {
        Some(serial) if !is_serial(serial) => Err(format!(
            "{}: `{}` is not a serial number; expected the 16 characters on the key (base64)",
            args.name,
            shown(serial)
        )),
        _ => Ok(KeyNode { path, serial: serial.map(ToOwned::to_owned) }),
    }
}

/// A text from the file, fit for an error line.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
