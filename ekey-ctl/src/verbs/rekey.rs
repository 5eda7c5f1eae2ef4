//! `rekey`: sets a new long-term key with the master key from the card.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ekey_keyring::DEFAULT_KEYRING;
use serde_json::json;

use crate::cli::Rekey;
use crate::daemon::Daemon;
use crate::problem::Problem;
use crate::rekey::{self, Changed, HandBack, RekeyProblem, Rekeyed, quoted};
use crate::render::paint::{self, Line, Tone};
use crate::secret;
use crate::signals::Blocked;
use crate::trusted::{TrustError, Trusted, absolute};

/// Nothing was changed.
const UNCHANGED: u8 = 1;
/// The key has, or may have, a long-term key that is not in the keyring.
const NOT_IN_KEYRING: u8 = 2;
/// The keyring has the new long-term key, but no frame verified under it, or the daemon did not take the key back.
const NOT_DELIVERING: u8 = 4;

pub(crate) fn run(socket: &Path, args: &Rekey) -> Result<u8, Problem> {
    let mut place = absolute(args.keyring.as_deref().unwrap_or(Path::new(DEFAULT_KEYRING)));
    // Signals wait until a failure is reported: dropped at the end of this function.
    let mut undisturbed = None;
    match set(socket, args, &mut place, &mut undisturbed) {
        Ok(rekeyed) => report(&rekeyed, &place, args.json.json),
        Err(problem) => {
            if args.json.json {
                let kept = match &problem {
                    RekeyProblem::KeptElsewhere { kept, .. } => Some(kept),
                    _ => None,
                };
                let in_keyring_still = problem.changed() == Changed::No;
                let line = json!({
                    "ok": false, "unchanged": in_keyring_still, "keyring": place, "kept_in": kept, "problem": problem.to_string(),
                });
                // An output that fails must not hide what happened to the key: the exit code still says it.
                let _ = writeln!(io::stdout(), "{line}");
            }
            let _ = writeln!(io::stderr(), "ekey-ctl: {problem}");
            Ok(match problem.changed() {
                Changed::No => UNCHANGED,
                Changed::NotInKeyring => NOT_IN_KEYRING,
            })
        }
    }
}

fn set(
    socket: &Path,
    args: &Rekey,
    place: &mut PathBuf,
    undisturbed: &mut Option<Blocked>,
) -> Result<Rekeyed, RekeyProblem> {
    let trusted = Trusted::by(args.config.as_deref(), args.keyring.as_deref()).map_err(TrustError::from)?;
    let mut daemon = Daemon::find(socket)?;
    let driven = match &mut daemon {
        Some(daemon) => daemon.keys()?,
        None => Vec::new(),
    };
    let key = rekey::choose(driven, args.serial, args.device.as_deref(), &trusted)?;
    *place = trusted.keyring(args.keyring.as_deref(), daemon.as_mut())?;
    let whose = key.serial.map_or_else(|| key.path.display().to_string(), |serial| serial.to_string());
    let master_key = secret::master_key(args.master_file.as_deref(), &whose)?;
    rekey::set(daemon, &key, (place, &trusted.user()), master_key, undisturbed)
}

fn report(rekeyed: &Rekeyed, keyring: &Path, as_json: bool) -> Result<u8, Problem> {
    let serial = rekeyed.serial;
    let state = match &rekeyed.daemon {
        HandBack::Back(state) => Some(state.as_str()),
        _ => None,
    };
    let path = quoted(keyring);
    let unproven = rekeyed.proof.as_ref().err().map(|why| {
        format!(
            "the long-term key is stored, but unproven: no frame of the key has verified under it: {why}\n\
             Plug the key in again, and see `ekey-ctl status`. If its long-term key is bad, repeat the rekey with the same master key."
        )
    });
    let not_back = match &rekeyed.daemon {
        HandBack::Failed(error) => Some(format!(
            "the daemon did not take the key back: {error}\n\
             Run `ekey-ctl keyring reload --keyring {path}`, then `ekey-ctl add PATH` with the key's node; or restart ekeyd."
        )),
        _ => None,
    };
    let problems: Vec<String> = [unproven, not_back].into_iter().flatten().collect();
    let problem = (!problems.is_empty()).then(|| problems.join("\n"));
    let printed = if as_json {
        let line = json!({
            "ok": problem.is_none(), "unchanged": false, "serial": serial.to_string(), "keyring": keyring, "proven": rekeyed.proof.is_ok(),
            "daemon": word(&rekeyed.daemon), "state": state, "problem": problem,
        });
        writeln!(io::stdout(), "{line}")
    } else {
        let done = format!("The key {serial} has a new long-term key, and {} has it.", keyring.display());
        let tone = if rekeyed.proof.is_ok() { Tone::Good } else { Tone::Warn };
        paint::print(&[Line::new(tone, &done), about_daemon(&rekeyed.daemon, keyring)])
    };
    if !problems.is_empty() {
        for problem in problems {
            let _ = writeln!(io::stderr(), "ekey-ctl: {problem}");
        }
        return Ok(NOT_DELIVERING);
    }
    printed?;
    Ok(0)
}

fn word(handed_back: &HandBack) -> &'static str {
    match handed_back {
        HandBack::NoDaemon => "none",
        HandBack::KeyringRead => "keyring-read",
        HandBack::OtherKeyring(_) => "other-keyring",
        HandBack::Back(_) => "has-it-back",
        HandBack::Failed(_) => "failed",
    }
}

fn about_daemon(handed_back: &HandBack, keyring: &Path) -> Line {
    match handed_back {
        HandBack::NoDaemon => Line::plain("No daemon runs: start ekeyd to use the key."),
        HandBack::KeyringRead => Line::plain("The daemon reloaded the keyring."),
        HandBack::OtherKeyring(theirs) => Line::new(
            Tone::Warn,
            &format!(
                "The daemon reads another keyring, {}: run `ekey-ctl keyring reload --keyring {}`",
                theirs.display(),
                quoted(keyring)
            ),
        ),
        HandBack::Back(state) if state == "Running OK" => Line::plain("The daemon has the key back, and the key runs."),
        HandBack::Back(state) => Line::new(
            Tone::Warn,
            &format!("The daemon has the key back; it does not run yet ({state}): see `ekey-ctl status`"),
        ),
        HandBack::Failed(_) => Line::bad("The daemon does not have the key back."),
    }
}
