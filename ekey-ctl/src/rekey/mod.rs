//! Sets a new long-term key. If key and keyring end up different, the error says how to go on.
//!
//! The order makes it safe. First comes all that can fail without touching the key: read the master key and verify its check digits,
//! lock the keyring, create the new one next to it. Then the daemon releases the key, the key takes the new long-term key, and the new
//! keyring replaces the old one. Then a frame of the key must verify under the new long-term key; only then it reports success. The
//! daemon gets the key back in any case.

mod device;
mod fallback;
mod find;
mod nodes;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_control::ClientError;
use ekey_keyring::{DaemonUser, KeyringEdit, KeyringError};
use ekey_proto::{LongTermKey, MasterKey, Serial};
use thiserror::Error;

use crate::daemon::{Daemon, Driven};
use crate::secret::SecretError;
use crate::signals::Blocked;
use crate::trusted::TrustError;
use device::{DeviceError, Unproven};
pub(crate) use find::{Chosen, FindError, choose};

/// How long to wait for the key to run with the daemon again.
const WATCH: Duration = Duration::from_secs(5);
const WATCH_PAUSE: Duration = Duration::from_millis(50);

/// A key whose new long-term key is in the keyring.
#[derive(Debug)]
pub(crate) struct Rekeyed {
    pub(crate) serial: Serial,
    /// Whether a frame has verified under the new long-term key.
    pub(crate) proof: Result<(), Unproven>,
    /// What happened at the daemon.
    pub(crate) daemon: HandBack,
}

/// What happened at the daemon.
#[derive(Debug)]
pub(crate) enum HandBack {
    /// No daemon runs.
    NoDaemon,
    /// The daemon read the keyring; it had not driven this key.
    KeyringRead,
    /// The daemon reads this keyring, not the new one.
    OtherKeyring(PathBuf),
    /// The daemon has the key back, in this state (the original's words).
    Back(String),
    /// The daemon rejected the key, or did not answer.
    Failed(ClientError),
}

/// Why the keyring has no new long-term key.
#[derive(Debug, Error)]
pub(crate) enum RekeyProblem {
    /// No key was chosen.
    #[error(transparent)]
    Find(#[from] FindError),
    /// No keyring is trusted.
    #[error("{0}; nothing was changed")]
    Trust(#[from] TrustError),
    /// The person gave no valid master key.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The daemon did not release the key.
    #[error("{0}; nothing was changed")]
    Daemon(#[from] ClientError),
    /// The keyring cannot be changed; the key is unchanged.
    #[error("{0}; nothing was changed")]
    Keyring(#[from] KeyringError),
    /// Signals cannot be blocked (host).
    #[error("cannot block signals: {0}; nothing was changed: try again")]
    Signals(#[from] nix::Error),
    /// The key has no new long-term key, or an unknown one.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The new long-term key is in a file, not in the keyring.
    #[error(
        "the key {serial} has a new long-term key, but the keyring could not be written: {why}\n\
         The long-term key is in {}, which only you can read; the key does not work until the keyring has it. Make the keyring writable, run\n  \
         ekey-ctl keyring add {serial} --keyring {} --file {}\nand remove that file.",
        kept.display(), quoted(keyring), quoted(kept)
    )]
    KeptElsewhere {
        serial: Serial,
        /// The keyring that could not be written.
        keyring: PathBuf,
        /// Why it could not be written.
        why: KeyringError,
        /// Where the new long-term key is.
        kept: PathBuf,
    },
    /// The new long-term key could be written nowhere.
    #[error(
        "the key {serial} has a new long-term key, but neither the keyring ({why}) nor a file ({kept}) could be written. \
         The long-term key is lost, and the key does not work until it gets another: free some space, then run\n  ekey-ctl rekey {serial}\nwith the same master key."
    )]
    Lost {
        serial: Serial,
        /// Why the keyring could not be written.
        why: KeyringError,
        /// Why no file could be written.
        kept: io::Error,
    },
}

/// What a failed rekey did to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Nothing changed.
    No,
    /// The key has, or may have, a long-term key that is not in the keyring.
    NotInKeyring,
}

impl RekeyProblem {
    /// Returns what the failure did to the key.
    pub(crate) fn changed(&self) -> Changed {
        match self {
            Self::Device(error) if error.may_have_changed() => Changed::NotInKeyring,
            Self::KeptElsewhere { .. } | Self::Lost { .. } => Changed::NotInKeyring,
            _ => Changed::No,
        }
    }
}

/// Sets a new long-term key on the chosen key, writes it into `keyring` for the daemon's `user`, and proves it. The daemon gets the key
/// back in any case.
///
/// Blocks signals in `undisturbed`. After a failure they stay blocked, so that the caller can say where the new long-term key is
/// before one of them ends the program.
///
/// # Errors
/// [`RekeyProblem`]; [`RekeyProblem::changed`] says what happened to the key.
pub(crate) fn set(
    mut daemon: Option<Daemon>,
    key: &Chosen,
    (keyring, user): (&Path, &DaemonUser),
    master_key: Box<MasterKey>,
    undisturbed: &mut Option<Blocked>,
) -> Result<Rekeyed, RekeyProblem> {
    let edit = KeyringEdit::begin_for(keyring, user)?;
    // Only SIGKILL can end the program before the new long-term key is on disk.
    *undisturbed = Some(Blocked::all()?);
    if let (Some(daemon), Some(driven)) = (&mut daemon, &key.driven) {
        daemon.release(driven)?;
    }
    let outcome = device::new_long_term_key(&key.path, master_key, key.serial).map_err(RekeyProblem::from).and_then(
        |(serial, long_term_key)| {
            save(edit, keyring, serial, &long_term_key)?;
            Ok((serial, device::prove(&key.path, serial, &long_term_key)))
        },
    );
    let handed_back = match &mut daemon {
        Some(daemon) => hand_back(daemon, key.driven.as_ref(), keyring, outcome.is_ok()),
        None => HandBack::NoDaemon,
    };
    if outcome.is_ok() {
        // A pending signal ends the program here.
        *undisturbed = None;
    }
    match (outcome, handed_back) {
        (Ok((serial, proof)), HandBack::Back(state)) => {
            let watched = daemon.as_mut().zip(key.driven.as_ref());
            let state = watched.map_or(state, |(daemon, driven)| watch(daemon, driven));
            Ok(Rekeyed { serial, proof, daemon: HandBack::Back(state) })
        }
        (Ok((serial, proof)), daemon) => Ok(Rekeyed { serial, proof, daemon }),
        (Err(problem), HandBack::Failed(error)) => {
            let path = quoted(&key.path);
            // eprintln! would panic if standard error fails, and `problem` says where the new long-term key is.
            let _ = writeln!(
                io::stderr(),
                "ekey-ctl: the daemon did not take the key back ({error}); run `ekey-ctl add {path}`"
            );
            Err(problem)
        }
        (Err(problem), _) => Err(problem),
    }
}

/// Writes the new long-term key into the keyring, or else into a file.
fn save(mut edit: KeyringEdit, keyring: &Path, serial: Serial, key: &LongTermKey) -> Result<(), RekeyProblem> {
    edit.set(serial, key.duplicate());
    let Err(why) = edit.save() else { return Ok(()) };
    Err(match fallback::keep(&serial, key, keyring) {
        Ok(kept) => RekeyProblem::KeptElsewhere { serial, keyring: keyring.to_owned(), why, kept },
        Err(kept) => RekeyProblem::Lost { serial, why, kept },
    })
}

/// Gives the daemon the keyring, if it is new, and the key that the daemon drove before.
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

/// Waits up to [`WATCH`] for the key to run. Returns its last state, in the original's words.
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

/// Quotes a path for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:=@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
