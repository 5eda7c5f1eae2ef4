//! Converts a configuration of the original to this daemon's TOML. What TOML lacks becomes a comment.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ekey_control::OriginalConfig;
use ekey_control::original::{EgdSocket, KeyNode, Placed};

/// Folders where every plugged-in key appears: `discover` replaces them.
const EVERY_KEY: [&str; 3] = ["/dev/entropykey", "/run/entropykeys", "/var/run/entropykeys"];

/// Returns the text of `ekeyd.toml`. Its first line names `file`, the original's configuration.
pub(crate) fn of_original(original: &OriginalConfig, file: &Path) -> String {
    let mut text = format!("# Converted from {}. Check the comments that begin with \"Not\".\n", path(file));
    top(&mut text, original);
    keys(&mut text, original);
    kernel(&mut text, original);
    egd(&mut text, original);
    if let Some(output) = &original.file {
        let _ = write!(text, "\n[file]\npath = {}\n", path(&output.value));
    }
    text
}

fn top(text: &mut String, original: &OriginalConfig) {
    if let Some(keyring) = &original.keyring {
        let _ = writeln!(text, "keyring = {}", path(&keyring.value));
    }
    let controls = once(text, "UnixControlSocket", &original.unix_control, |control| path(control));
    one_or_more(text, "control", &controls, "");
    let ports = once(text, "TCPControlSocket", &original.tcp_control, ToString::to_string);
    one_or_more(text, "control-tcp", &ports, "    # read-only: change things through the unix socket");
    if let Some(Placed { line, value: true, .. }) = original.daemonise {
        not(
            text,
            line,
            "Daemonise(true): `ekeyd run` stays in the foreground; `ekeyd -f FILE` goes into the background",
        );
    }
}

/// Returns each value once, in the words of the file. Notes the further ones.
fn once<T: PartialEq>(
    text: &mut String,
    statement: &str,
    stated: &[Placed<T>],
    words: impl Fn(&T) -> String,
) -> Vec<String> {
    let mut once = Vec::new();
    for (number, Placed { line, value, .. }) in stated.iter().enumerate() {
        if stated[..number].iter().any(|before| before.value == *value) {
            not(text, *line, &format!("{statement} {} is listed twice", words(value)));
        } else {
            once.push(words(value));
        }
    }
    once
}

/// Writes one value as it is, and several as a list.
fn one_or_more(text: &mut String, key: &str, values: &[String], comment: &str) {
    match values {
        [] => {}
        [one] => {
            let _ = writeln!(text, "{key} = {one}{comment}");
        }
        more => {
            let _ = writeln!(text, "{key} = [{}]{comment}", more.join(", "));
        }
    }
}

fn keys(text: &mut String, original: &OriginalConfig) {
    let is_usual = |folder: &&Placed<_>| EVERY_KEY.iter().any(|usual| folder.value == Path::new(usual));
    let (usual, others): (Vec<_>, Vec<_>) = original.folders.iter().partition(is_usual);
    text.push_str("\n[keys]\n");
    for folder in &usual {
        let _ = writeln!(
            text,
            "# AddEntropyKeys {} (line {}): the daemon finds every key by itself.",
            path(&folder.value),
            folder.line
        );
    }
    let _ = writeln!(text, "discover = {}", !usual.is_empty());
    for folder in others {
        let advice = format!("AddEntropyKeys {}: name each key of that folder in `paths`", path(&folder.value));
        not(text, folder.line, &advice);
    }
    let entries: Vec<String> = original.keys.iter().map(|key| entry(&key.value)).collect();
    list(text, "paths", &entries);
}

fn entry(key: &KeyNode) -> String {
    match &key.serial {
        None => path(&key.path),
        Some(serial) => format!("{{ path = {}, serial = {} }}", path(&key.path), quoted(serial)),
    }
}

fn kernel(text: &mut String, original: &OriginalConfig) {
    let _ = write!(text, "\n[kernel]\nenabled = {}\n", original.kernel_bits.is_some());
    if let Some(bits) = &original.kernel_bits {
        let _ = writeln!(text, "bits-per-byte = {}", bits.value);
    }
}

fn egd(text: &mut String, original: &OriginalConfig) {
    text.push_str("\n[egd]\n");
    let mut entries: Vec<String> = Vec::new();
    let mut places: Vec<PathBuf> = Vec::new();
    for Placed { line, value, .. } in &original.egd {
        let place = match place(value) {
            Ok(place) => place,
            Err(problem) => {
                not(text, *line, &problem);
                continue;
            }
        };
        // As a path: `//e` is `/e`.
        let is_new = !places.contains(&PathBuf::from(&place));
        places.push(PathBuf::from(&place));
        let place = quoted(&place);
        if !is_new {
            not(text, *line, &format!("{place} is listed twice"));
            continue;
        }
        entries.push(match value {
            EgdSocket::Unix { path, mode, user, group } => socket(path, *mode, user.as_deref(), group.as_deref()),
            EgdSocket::Tcp { .. } => place,
        });
    }
    list(text, "listen", &entries);
}

/// Where a socket is, as TOML names it, with the address that its host has now.
fn place(socket: &EgdSocket) -> Result<String, String> {
    match socket {
        EgdSocket::Unix { path, .. } => Ok(format!("unix:{}", path.display())),
        EgdSocket::Tcp { host, port } => match host.resolve(*port) {
            Ok(Some(address)) => Ok(format!("tcp:{address}")),
            Ok(None) | Err(_) => Err(format!("EGDTCPSocket: `{host}` cannot be resolved; write its address")),
        },
    }
}

/// Returns a socket with the rights that it is given. Without a mode the original makes it for its own user only.
fn socket(at: &Path, mode: Option<u32>, user: Option<&str>, group: Option<&str>) -> String {
    let mode = Some(mode.unwrap_or(0o600));
    let rights = [
        mode.map(|mode| format!(", mode = \"{mode:04o}\"")),
        user.map(|user| format!(", owner = {}", quoted(user))),
        group.map(|group| format!(", group = {}", quoted(group))),
    ];
    format!("{{ path = {}{} }}", path(at), rights.into_iter().flatten().collect::<String>())
}

fn not(text: &mut String, line: usize, what: &str) {
    let _ = writeln!(text, "# Not converted (line {line}): {what}.");
}

fn list(text: &mut String, key: &str, entries: &[String]) {
    match entries {
        [] => {
            let _ = writeln!(text, "{key} = []");
        }
        [one] => {
            let _ = writeln!(text, "{key} = [{one}]");
        }
        more => {
            let _ = write!(text, "{key} = [\n    {},\n]\n", more.join(",\n    "));
        }
    }
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// Quotes a text for TOML, always on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(text: &str) -> String {
        let (config, mistakes) = OriginalConfig::read(text);
        assert_eq!(mistakes, [], "of {text:?}");
        of_original(&config, Path::new("/etc/entropykey/ekeyd.conf"))
    }

    #[test]
    fn an_empty_file_is_a_daemon_without_keys_and_outputs() {
        let expected = "# Converted from \"/etc/entropykey/ekeyd.conf\". Check the comments that begin with \"Not\".\n\
                   \n[keys]\ndiscover = false\npaths = []\n\n[kernel]\nenabled = false\n\n[egd]\nlisten = []\n";
        assert_eq!(convert("-- nothing\n"), expected);
    }

    #[test]
    fn every_statement_is_converted_or_commented_by_line() {
        let text = convert(
            "TCPControlSocket \"1234\"\nUnixControlSocket \"/run/c\"\nKeyring \"/k\"\nDaemonise(true)\n\
             SetOutputToKernel(7)\nSetOutputToFile \"/out\"\nEGDTCPSocket(8888)\nEGDTCPSocket(8888, \"127.0.0.1\")\n\
             EGDUnixSocket(\"/e\", \"0600\", \"\", \"users\")\nAddEntropyKeys \"/dev/entropykey\"\nAddEntropyKeys \"/my\"\n\
             AddEntropyKey \"/dev/cuaU0\"\nAddEntropyKey(\"/dev/a\\\\b\", \"A/BvBlg3OTBJ+RFD\")\n",
        );
        for expected in [
            "keyring = \"/k\"\ncontrol = \"/run/c\"\n",
            "control-tcp = 1234    # read-only",
            "# Not converted (line 4): Daemonise(true)",
            "enabled = true\nbits-per-byte = 7\n",
            "[file]\npath = \"/out\"\n",
            "# Not converted (line 8): \"tcp:127.0.0.1:8888\" is listed twice.\n",
            "listen = [\n    \"tcp:127.0.0.1:8888\",\n    { path = \"/e\", mode = \"0600\", group = \"users\" },\n]\n",
            "# AddEntropyKeys \"/dev/entropykey\" (line 10)",
            "discover = true\n# Not converted (line 11): AddEntropyKeys \"/my\"",
            "paths = [\n    \"/dev/cuaU0\",\n    { path = \"/dev/a\\\\b\", serial = \"A/BvBlg3OTBJ+RFD\" },\n]\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }

    #[test]
    fn nothing_in_a_path_can_end_its_line() {
        let text = convert("Keyring \"/a\\nb\\\"c\"\nAddEntropyKeys \"/x\\ny = 1\"\n");
        assert!(text.contains("keyring = \"/a\\u000Ab\\\"c\"\n"), "{text}");
        assert!(text.lines().all(|line| !line.starts_with('y')), "{text}");
    }
}
