//! Setting a new long-term key, so that at no time a key runs that nobody can verify without it being said how to go on.
//!
//! The order is what makes it safe. Everything that can fail without the key is done before the key is touched: the master key is
//! read and its check digits verified, the keyring is locked and the new one made beside it. Then the daemon lets go of the key, the
//! key takes the new long-term key, the keyring is written, and only then is success reported. Whatever happens in between, the
//! daemon gets the key back.

mod device;
mod fallback;
mod find;
mod nodes;
mod undisturbed;

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_control::ClientError;
use ekey_keyring::{KeyringEdit, KeyringError};
use ekey_proto::{LongTermKey, MasterKey, Serial};
use thiserror::Error;

use crate::daemon::{Daemon, Driven};
use crate::secret::SecretError;
use device::DeviceError;
pub(crate) use find::{Chosen, FindError, choose};
use undisturbed::Undisturbed;

/// How long to watch what the daemon makes of the key that it has back.
const WATCH: Duration = Duration::from_secs(5);
const WATCH_PAUSE: Duration = Duration::from_millis(50);

/// A key that has a new long-term key, which is in the keyring.
#[derive(Debug)]
pub(crate) struct Rekeyed {
    /// The key.
    pub(crate) serial: Serial,
    /// What the daemon made of it.
    pub(crate) daemon: HandBack,
}

/// What became of the key with the daemon.
#[derive(Debug)]
pub(crate) enum HandBack {
    /// No daemon runs.
    NoDaemon,
    /// The daemon has read the keyring; it did not drive this key before.
    KeyringRead,
    /// The daemon reads this keyring, not the one that was written.
    OtherKeyring(PathBuf),
    /// The daemon has the key back; its word for the state that the key is in.
    Back(String),
    /// The daemon refused, or did not answer.
    Failed(ClientError),
}

/// Why there is no new long-term key in the keyring.
#[derive(Debug, Error)]
pub(crate) enum RekeyProblem {
    /// No key was chosen.
    #[error(transparent)]
    Find(#[from] FindError),
    /// There is no master key.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The daemon cannot be asked to let go of the key.
    #[error("{0}; nothing was changed")]
    Daemon(#[from] ClientError),
    /// The keyring cannot be changed; the key was not touched.
    #[error("{0}; nothing was changed")]
    Keyring(#[from] KeyringError),
    /// Signals cannot be held back.
    #[error("cannot hold back signals: {0}; nothing was changed")]
    Signals(#[from] nix::Error),
    /// The key has no new long-term key, or none that is known.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The key has a new long-term key that is not in the keyring but in a file.
    #[error(
        "the key {serial} has taken a new long-term key, but it could not be put into the keyring: {why}\n\
         It is in {}, which only you can read. Until it is in the keyring the key does not work. When the keyring can be written, run\n  \
         ekey-ctl keyring add {serial} --keyring {} --file {}\nand then remove that file.",
        kept.display(), quoted(keyring), quoted(kept)
    )]
    KeptElsewhere {
        /// The key.
        serial: Serial,
        /// The keyring that could not be written.
        keyring: PathBuf,
        /// Why not.
        why: KeyringError,
        /// Where the new long-term key is.
        kept: PathBuf,
    },
    /// The key has a new long-term key that could be written nowhere.
    #[error(
        "the key {serial} has taken a new long-term key, which could neither be put into the keyring ({why}) nor kept in a file ({kept}). \
         It is lost, and the key does not work until it gets another: make room, then run\n  ekey-ctl rekey {serial}\nagain. The master key stays the same."
    )]
    Lost {
        /// The key.
        serial: Serial,
        /// Why the keyring could not be written.
        why: KeyringError,
        /// Why no file could be.
        kept: io::Error,
    },
}

/// What a rekey that failed has done to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Nothing.
    No,
    /// It has, or may have, a long-term key that is not in the keyring.
    NotInKeyring,
}

impl RekeyProblem {
    /// What it means for the key.
    pub(crate) fn changed(&self) -> Changed {
        match self {
            Self::Device(error) if error.may_have_changed() => Changed::NotInKeyring,
            Self::KeptElsewhere { .. } | Self::Lost { .. } => Changed::NotInKeyring,
            _ => Changed::No,
        }
    }
}

/// Sets a new long-term key on a key that was chosen and writes it into `keyring`.
///
/// # Errors
/// [`RekeyProblem`]; [`RekeyProblem::changed`] says what it means for the key. The daemon has the key back in any case.
pub(crate) fn set(
    mut daemon: Option<Daemon>,
    key: &Chosen,
    keyring: &Path,
    master_key: MasterKey,
) -> Result<Rekeyed, RekeyProblem> {
    let edit = KeyringEdit::begin(keyring)?;
    let undisturbed = Undisturbed::begin()?;
    if let (Some(daemon), Some(driven)) = (&mut daemon, &key.driven) {
        daemon.release(driven)?;
    }
    let outcome = device::new_long_term_key(&key.path, master_key, key.serial)
        .map_err(RekeyProblem::from)
        .and_then(|(serial, long_term_key)| save(edit, keyring, serial, &long_term_key));
    let handed_back = match &mut daemon {
        Some(daemon) => hand_back(daemon, key.driven.as_ref(), keyring, outcome.is_ok()),
        None => HandBack::NoDaemon,
    };
    drop(undisturbed);
    match (outcome, handed_back) {
        (Ok(serial), HandBack::Back(state)) => {
            let watched = daemon.as_mut().zip(key.driven.as_ref());
            let state = watched.map_or(state, |(daemon, driven)| watch(daemon, driven));
            Ok(Rekeyed { serial, daemon: HandBack::Back(state) })
        }
        (Ok(serial), daemon) => Ok(Rekeyed { serial, daemon }),
        (Err(problem), HandBack::Failed(error)) => {
            let path = key.path.display();
            eprintln!("ekey-ctl: the daemon did not take the key back ({error}); run ekey-ctl add {path}");
            Err(problem)
        }
        (Err(problem), _) => Err(problem),
    }
}

/// Writes the new long-term key into the keyring, or else where it is not lost.
fn save(mut edit: KeyringEdit, keyring: &Path, serial: Serial, key: &LongTermKey) -> Result<Serial, RekeyProblem> {
    edit.set(serial, key.duplicate());
    let Err(why) = edit.save() else { return Ok(serial) };
    Err(match fallback::keep(&serial, key, keyring) {
        Ok(kept) => RekeyProblem::KeptElsewhere { serial, keyring: keyring.to_owned(), why, kept },
        Err(kept) => RekeyProblem::Lost { serial, why, kept },
    })
}

/// Gives the daemon the keyring, if there is something new in it, and the key that it drove before.
fn hand_back(daemon: &mut Daemon, driven: Option<&Driven>, keyring: &Path, is_new: bool) -> HandBack {
    let theirs = daemon.keyring();
    if driven.is_none()
        && let Some(theirs) = theirs.filter(|theirs| theirs != keyring)
    {
        return HandBack::OtherKeyring(theirs);
    }
    let read = if is_new { daemon.read_keyring(keyring).map(drop) } else { Ok(()) };
    let back = driven.map(|driven| daemon.take_back(driven));
    match (read, back) {
        (Err(error), _) | (_, Some(Err(error))) => HandBack::Failed(error),
        (Ok(()), None) => HandBack::KeyringRead,
        (Ok(()), Some(Ok(()))) => HandBack::Back(String::new()),
    }
}

/// Waits a little for the key to run with the daemon, and gives the daemon's last word for its state.
fn watch(daemon: &mut Daemon, driven: &Driven) -> String {
    let until = Instant::now() + WATCH;
    let mut state = String::new();
    loop {
        if let Some(key) = daemon.keys().ok().and_then(|keys| keys.into_iter().find(|key| key.path == driven.path)) {
            state = key.state;
        }
        if state == "Running OK" || Instant::now() >= until {
            return state;
        }
        sleep(WATCH_PAUSE);
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:=@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
