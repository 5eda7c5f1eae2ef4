//! `keyring`: lists and changes the keyring. Never shows a long-term key.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ekey_control::ClientError;
use ekey_keyring::{DEFAULT_KEYRING, DaemonUser, Keyring, KeyringEdit};
use ekey_proto::Serial;
use serde_json::json;

use crate::cli::{KeyringAdd, KeyringRemove, KeyringVerb, Reload, WithKeyring};
use crate::daemon::Daemon;
use crate::problem::Problem;
use crate::render::paint::{self, Line, Tone};
use crate::secret;
use crate::trusted::{TrustError, Trusted, absolute};

pub(crate) fn run(socket: &Path, verb: &KeyringVerb) -> Result<u8, Problem> {
    match verb {
        KeyringVerb::List(args) => list(socket, args),
        KeyringVerb::Add(args) => add(socket, args),
        KeyringVerb::Remove(args) => remove(socket, args),
        KeyringVerb::Reload(args) => reload(socket, args),
    }
}

fn list(socket: &Path, args: &WithKeyring) -> Result<u8, Problem> {
    let Place { path, user, .. } = place(socket, args)?;
    let keyring = Keyring::load_for(&path, &user)?;
    let serials: Vec<String> = keyring.serials().map(ToString::to_string).collect();
    if args.json.json {
        let line = json!({ "keyring": keyring.path(), "serials": serials, "warnings": keyring.warnings() });
        writeln!(io::stdout(), "{line}")?;
        return Ok(0);
    }
    paint::print(&serials.iter().map(|serial| Line::plain(serial)).collect::<Vec<_>>())?;
    for warning in keyring.warnings() {
        writeln!(io::stderr(), "ekey-ctl: {warning}")?;
    }
    Ok(0)
}

fn add(socket: &Path, args: &KeyringAdd) -> Result<u8, Problem> {
    let Place { path, user, daemon } = place(socket, &args.at)?;
    let key = secret::long_term_key(args.file.as_deref(), &args.serial)?;
    let mut edit = KeyringEdit::begin_for(&path, &user)?;
    edit.set(args.serial, key);
    edit.save()?;
    report("added to", "added", &args.serial, &path, daemon, args.at.json.json)
}

fn remove(socket: &Path, args: &KeyringRemove) -> Result<u8, Problem> {
    let Place { path, user, daemon } = place(socket, &args.at)?;
    let mut edit = KeyringEdit::begin_for(&path, &user)?;
    if !edit.remove(&args.serial) {
        return Err(Problem::NotInKeyring { serial: args.serial, path });
    }
    edit.save()?;
    report("removed from", "removed", &args.serial, &path, daemon, args.at.json.json)
}

fn reload(socket: &Path, args: &Reload) -> Result<u8, Problem> {
    let Some(mut daemon) = Daemon::find(socket)? else {
        return Err(ClientError::NoDaemon { path: socket.to_owned() }.into());
    };
    // Only the daemon opens it, so its word may count.
    let path = args.keyring.clone().or_else(|| daemon.keyring()).unwrap_or_else(|| DEFAULT_KEYRING.into());
    let path = absolute(&path);
    let said = daemon.read_keyring(&path)?;
    if args.json.json {
        writeln!(io::stdout(), "{}", json!({ "keyring": path, "daemon": said }))?;
    } else {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        paint::print(&[Line::plain(&format!("The daemon reloaded {}{said}.", path.display()))])?;
    }
    Ok(0)
}

/// The keyring to use, and what else that takes.
struct Place {
    path: PathBuf,
    user: DaemonUser,
    daemon: Result<Option<Daemon>, ClientError>,
}

fn place(socket: &Path, args: &WithKeyring) -> Result<Place, TrustError> {
    let named = args.keyring.as_deref();
    let trusted = Trusted::by(args.config.as_deref(), named)?;
    let mut daemon = Daemon::find(socket);
    let known = daemon.as_mut().ok().and_then(Option::as_mut);
    Ok(Place { path: trusted.keyring(named, known)?, user: trusted.user(), daemon })
}

/// Makes a daemon that reads this keyring reload it, and reports what changed. A daemon that does not answer is a warning, not a
/// failure: the keyring itself is changed.
fn report(
    done: &str,
    word: &str,
    serial: &Serial,
    path: &Path,
    daemon: Result<Option<Daemon>, ClientError>,
    as_json: bool,
) -> Result<u8, Problem> {
    let told = daemon.and_then(|daemon| {
        let Some(mut daemon) = daemon else { return Ok(false) };
        let is_theirs = daemon.keyring().is_none_or(|theirs| theirs == path);
        if is_theirs { daemon.read_keyring(path).map(|_| true) } else { Ok(false) }
    });
    let problem = told.as_ref().err().map(ToString::to_string);
    if as_json {
        let line = json!({
            word: serial.to_string(), "keyring": path, "daemon_told": told.as_ref().is_ok_and(|told| *told), "problem": problem,
        });
        writeln!(io::stdout(), "{line}")?;
        return Ok(0);
    }
    let mut lines = vec![Line::plain(&format!("{serial} was {done} {}.", path.display()))];
    match told {
        Ok(true) => lines.push(Line::plain("The daemon reloaded it.")),
        Ok(false) => {}
        Err(_) => {
            let problem = problem.unwrap_or_default();
            lines.push(Line::new(
                Tone::Warn,
                &format!("The daemon did not reload it: {problem}; run `ekey-ctl keyring reload`"),
            ));
        }
    }
    paint::print(&lines)?;
    Ok(0)
}
