//! Checks and writes the manual pages in packaging/man: one for the tool, one for each verb.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man");

#[test]
fn the_manual_pages_match_the_command_line() {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, "ekey-ctl", &mut pages);
    assert!(pages.len() > 15, "{} pages", pages.len());
    for (name, page) in &pages {
        let path = Path::new(FOLDER).join(name);
        if std::env::var_os("WRITE_MAN").is_some() {
            fs::write(&path, page).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(&stored, page, "{name} is stale: run WRITE_MAN=1 cargo test -p ekey-ctl man::");
    }
    let verbs = fs::read_dir(FOLDER).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    for name in verbs.filter(|name| name.starts_with("ekey-ctl")) {
        assert!(pages.iter().any(|(page, _)| *page == name), "{name} documents a verb that does not exist: remove it");
    }
}

/// Returns the sections that the command line does not know.
fn sections(name: &str) -> String {
    const COMMON: &str = r#".SH "EXIT STATUS"
.TP
.B 0, 1, 2
as the verb says; 0 is success
.TP
.B 3
no daemon runs
.TP
.B 4
any other failure
.TP
.B 64
wrong command line
.SH ENVIRONMENT
.TP
.B EKEYD_SOCKET
the control socket, unless \-\-socket names one
.TP
.B NO_COLOR
if it is not empty: no colour
.TP
.B TERM
if it is "dumb": no colour, no progress bar, no live screen
.TP
.B LC_ALL, LC_CTYPE, LANG
if the locale has UTF\-8, sparklines have finer steps
.SH FILES
.TP
.I /run/ekeyd/control.sock
the daemon's control socket
.TP
.I /etc/entropykey/ekeyd.toml, /etc/entropykey/ekeyd.conf
the daemon's configuration
.TP
.I /etc/entropykey/keyring
the long\-term keys
.SH UNITS
Suffixes k, M, G: 10^3, 10^6, 10^9. One kB is 1000 bytes. Rates are in bytes a second, temperatures in degrees Celsius, voltages in volts.
"#;
    const GLOSSARY: &str = r#".SH GLOSSARY
.TP
.B key
an Entropy Key, a USB device that generates random bytes
.TP
.B long\-term key
the secret that proves a key's bytes; the keyring holds one for each key
.TP
.B master key
the secret on the key's card, which sets a new long\-term key
.TP
.B verified
the bytes' MAC proves that they come from the key
.TP
.B pool
the bytes that the daemon holds for its outputs
.TP
.B credit
to tell the kernel how many bits of entropy it got
.TP
.B node
the file by which a key is reached: a tty, or a unix socket
.TP
.B retired
the key's output failed a health test, and is not handed out
"#;
    let others = if name == "ekey-ctl" { "" } else { ".BR ekey-ctl (1),\n" };
    let glossary = if name == "ekey-ctl" { GLOSSARY } else { "" };
    format!("{COMMON}{glossary}.SH \"SEE ALSO\"\n{others}.BR ekeyd (8),\n.BR ekeyd.toml (5),\n.BR ekey-sim (1)\n")
}

fn collect(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    // clap wants a name that lives as long as the program, here a test.
    let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let page = clap_mangen::Man::new(command.clone().name(leaked))
        .title(name)
        .section("1")
        .source("ekeyd")
        .manual("Entropy Key");
    let mut text = Vec::new();
    page.render(&mut text).unwrap();
    text.extend_from_slice(sections(name).as_bytes());
    pages.push((format!("{name}.1"), String::from_utf8(text).unwrap()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        collect(verb, &format!("{name}-{}", verb.get_name()), pages);
    }
}
