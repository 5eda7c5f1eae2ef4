//! Reads a secret from a file, from standard input, or from a terminal that does not show it.
//!
//! Limits what it reads, keeps it in one buffer that never moves, wipes it, and never prints it.

mod prompt;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use ekey_keyring::Untrusted;
use ekey_proto::{LongTermKey, MasterKey, Serial};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest input, in bytes.
const MOST_BYTES: usize = 4096;
/// How often a person may type a master key.
const ATTEMPTS: usize = 3;

/// Why there is no secret. Never shows any of it.
#[derive(Debug, Error)]
pub(crate) enum SecretError {
    /// The file cannot be read (host).
    #[error("{}: cannot read: {source}; name the file with the key", path.display())]
    File { path: PathBuf, source: io::Error },
    /// Users other than the owner can read or write the file (host).
    #[error("{}: a key is in this file, and {why}; chmod 600 {}", path.display(), path.display())]
    Untrusted { path: PathBuf, why: Untrusted },
    /// The terminal or standard input failed (host).
    #[error("cannot read the key: {0}; pipe it to standard input, or name a file")]
    Input(#[from] io::Error),
    /// The input was empty.
    #[error("the input has no key; type it, pipe it to standard input, or name a file")]
    Nothing,
    /// The input is too long.
    #[error("the input has more than {MOST_BYTES} bytes; give the key alone")]
    TooLong,
    /// The input is not a master key.
    #[error(transparent)]
    Master(#[from] ekey_proto::crypt::InvalidMasterKey),
    /// The input is not a long-term key.
    #[error("expected a long-term key of 44 characters (base64 of 32 bytes), or a keyring line `{0} KEY`")]
    LongTerm(Serial),
}

/// Reads the master key from `file`, else from standard input, else from a person, who has three attempts.
///
/// # Errors
/// [`SecretError`].
pub(crate) fn master_key(file: Option<&Path>, whose: &str) -> Result<Box<MasterKey>, SecretError> {
    let prompt = format!("Master key of {whose}, from its card (nothing is shown while you type): ");
    for attempt in 1.. {
        let text = read(file, &prompt)?;
        let mut key = Box::new(MasterKey::from_bytes([0; 32]));
        match key.read_card(&text) {
            Err(error) if is_typed(file) && attempt < ATTEMPTS => writeln!(io::stderr(), "{error}.")?,
            outcome => return Ok(outcome.map(|()| key)?),
        }
    }
    Err(SecretError::Nothing)
}

/// Reads a long-term key, alone or in a keyring line of `serial`, from the same places as [`master_key`].
///
/// # Errors
/// [`SecretError`].
pub(crate) fn long_term_key(file: Option<&Path>, serial: &Serial) -> Result<LongTermKey, SecretError> {
    let text = read(file, &format!("Long-term key of {serial} (nothing is shown while you type): "))?;
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut found = None;
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let key = match (words.next(), words.next(), words.next()) {
            (Some(key), None, None) => key,
            (Some(whose), Some(key), None) if whose == serial.to_text() => key,
            (Some(_), Some(_), None) => continue,
            _ => return Err(SecretError::LongTerm(*serial)),
        };
        found = Some(LongTermKey::from_base64(key).map_err(|_| SecretError::LongTerm(*serial))?);
    }
    found.ok_or(SecretError::LongTerm(*serial))
}

fn is_typed(file: Option<&Path>) -> bool {
    file.is_none() && io::stdin().is_terminal()
}

fn read(file: Option<&Path>, prompt: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let text = match file.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let failed = |source| SecretError::File { path: path.to_owned(), source };
            let mut file = File::open(path).map_err(failed)?;
            let found = file.metadata().map_err(failed)?;
            // A pipe or a terminal keeps nothing that others could read later.
            if found.is_file()
                && let Err(why) = ekey_keyring::check_closed(&found)
            {
                return Err(SecretError::Untrusted { path: path.to_owned(), why });
            }
            bounded(|buffer| file.read(buffer).map_err(failed))?
        }
        None if is_typed(file) => prompt::ask(prompt)?,
        // Not std's standard input: nothing wipes its buffer.
        None => bounded(|buffer| Ok(nix::unistd::read(io::stdin().as_fd(), buffer).map_err(io::Error::from)?))?,
    };
    if text.trim_ascii().is_empty() { Err(SecretError::Nothing) } else { Ok(text) }
}

/// Reads to the end, into one buffer that never moves.
fn bounded(mut read: impl FnMut(&mut [u8]) -> Result<usize, SecretError>) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut text = Zeroizing::new(vec![0; MOST_BYTES + 1]);
    let mut count = 0;
    loop {
        match read(text.get_mut(count..).unwrap_or_default()) {
            Ok(0) if count > MOST_BYTES => return Err(SecretError::TooLong),
            Ok(0) => break,
            Ok(fresh) => count += fresh,
            Err(error) if is_interrupted(&error) => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(count);
    Ok(text)
}

fn is_interrupted(error: &SecretError) -> bool {
    let (SecretError::File { source, .. } | SecretError::Input(source)) = error else { return false };
    source.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "A/BvBlg3OTBJ+RFD";
    const KEY: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";

    #[test]
    fn a_key_file_that_others_can_open_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), KEY).unwrap();
        let serial = SERIAL.parse().unwrap();
        for mode in [0o640, 0o620, 0o604, 0o602] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = long_term_key(Some(file.path()), &serial).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode {mode:04o}")), "{refused}");
            assert!(refused.ends_with(&format!("chmod 600 {}", file.path().display())), "{refused}");
            let refused = master_key(Some(file.path()), "it").unwrap_err();
            assert!(matches!(refused, SecretError::Untrusted { .. }), "{refused}");
        }
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(long_term_key(Some(file.path()), &serial).is_ok(), "only its owner can read it");
    }

    fn from_file(text: &[u8]) -> Result<LongTermKey, SecretError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        long_term_key(Some(file.path()), &SERIAL.parse().expect("a serial number"))
    }

    #[test]
    fn a_long_term_key_is_read_alone_or_in_a_keyring_line() {
        let expected = LongTermKey::from_base64(KEY.as_bytes()).unwrap();
        for text in [
            KEY.to_owned(),
            format!("  {KEY}\r\n\n"),
            format!("{SERIAL} {KEY}\n"),
            format!("# keyring\nAAAAAAAAAAAAAAAA {KEY}\n{SERIAL}\t{KEY}\n"),
        ] {
            assert_eq!(from_file(text.as_bytes()).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_invalid_long_term_key_is_rejected_unseen() {
        let secret = "c2VjcmV0";
        for text in [secret.to_owned(), format!("{SERIAL} {secret}"), format!("AAAAAAAAAAAAAAAA {KEY}"), "a b c".into()]
        {
            let refused = from_file(text.as_bytes()).unwrap_err();
            assert!(matches!(refused, SecretError::LongTerm(_)), "{text:?} gave {refused}");
            assert!(!format!("{refused} {refused:?}").contains(secret), "the text was shown: {refused}");
        }
        assert!(matches!(from_file(b" \n"), Err(SecretError::Nothing)));
    }

    #[test]
    fn input_longer_than_any_key_is_rejected() {
        assert!(matches!(from_file(&vec![b'A'; MOST_BYTES + 1]), Err(SecretError::TooLong)));
        let endless = long_term_key(Some(Path::new("/dev/zero")), &SERIAL.parse().unwrap());
        assert!(matches!(endless, Err(SecretError::TooLong)));
    }

    #[test]
    fn a_master_key_with_one_wrong_character_is_rejected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "/GE7 Tf1n Nqe9 JoyK DnTt DRwE\nqVn1 nddO 8odJ g/1E P8mh\n").unwrap();
        assert!(master_key(Some(file.path()), "it").is_ok(), "spaces and line breaks are skipped");
        std::fs::write(file.path(), "/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8mi").unwrap();
        let refused = master_key(Some(file.path()), "it").unwrap_err();
        assert!(matches!(refused, SecretError::Master(_)), "{refused}");
    }
}
