//! Files with one secret on one line: the long-term key or the master key of a software key.
//!
//! A missing file is made with a random secret, and only its owner can read it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ekey_proto::{LongTermKey, MasterKey};
use zeroize::Zeroizing;

use crate::SimError;
use crate::replace::replace;

/// Reads the long-term key in `path`, as 44 characters of base64 or 64 hexadecimal digits. Makes the file if it is
/// missing.
///
/// # Errors
/// [`SimError::File`] or [`SimError::KeyFile`] if the file can neither be read nor made.
pub fn long_term_key_file(path: &Path) -> Result<LongTermKey, SimError> {
    let text = read_or_make(path)?;
    if let Some(bytes) = from_hex(&text) {
        return Ok(LongTermKey::from_bytes(*bytes));
    }
    LongTermKey::from_base64(text.trim_ascii()).map_err(|_| SimError::KeyFile {
        path: path.to_owned(),
        what: "long-term key",
        reason: "expected 44 characters of base64 or 64 hexadecimal digits".to_owned(),
    })
}

/// Reads the master key in `path`, as the 44 characters on a key's card or 64 hexadecimal digits. Makes the file if it
/// is missing.
///
/// # Errors
/// [`SimError::File`] or [`SimError::KeyFile`] if the file can neither be read nor made.
pub fn master_key_file(path: &Path) -> Result<MasterKey, SimError> {
    let text = read_or_make(path)?;
    if let Some(bytes) = from_hex(&text) {
        return Ok(MasterKey::from_bytes(*bytes));
    }
    MasterKey::from_card(&text).map_err(|error| SimError::KeyFile {
        path: path.to_owned(),
        what: "master key",
        reason: error.to_string(),
    })
}

/// Replaces the long-term key in `path` in one step: a reader sees the whole old key or the whole new one.
pub(crate) fn replace_long_term_key(path: &Path, key: &LongTermKey) -> Result<(), SimError> {
    let text = Zeroizing::new(key.to_base64());
    let advice = "make the folder writable, so that the key can store its long-term key";
    replace(path, |new| write_new(new, &text[..])).map_err(SimError::file("write the long-term key to", path, advice))
}

/// Longer than any way to write a key, so that a wrong file is not read to its end.
const LONGEST: u64 = 4096;

fn read_or_make(path: &Path) -> Result<Zeroizing<Vec<u8>>, SimError> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        outcome => outcome.map_err(SimError::file("read the key in", path, "check its permissions")),
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    File::open(path)?.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

fn make(path: &Path) -> Result<Zeroizing<Vec<u8>>, SimError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut secret[..]).map_err(|error| SimError::System {
        action: "draw a key from the operating system's randomness",
        advice: "write one into the file yourself",
        source: error.into(),
    })?;
    let text = Zeroizing::new(LongTermKey::from_bytes(*secret).to_base64().to_vec());
    write_new(path, &text).map_err(SimError::file("make the key file", path, "check its folder and permissions"))?;
    Ok(text)
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let line = Zeroizing::new([text, b"\n"].concat());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&line)?;
    file.sync_all()
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), &mut bytes[..]).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    const BASE64: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
    const HEX: &str = "fafd438d6b89f4addef73ab26b7ed68c15c5073f54f3a917779153966e318369";

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ltk");
        (folder, file)
    }

    #[test]
    fn both_forms_of_a_long_term_key_are_the_same_key() {
        let (_folder, path) = folder();
        fs::write(&path, format!("{BASE64}\n")).unwrap();
        let spelled = long_term_key_file(&path).unwrap();
        fs::write(&path, format!("{HEX}\n")).unwrap();
        assert_eq!(long_term_key_file(&path).unwrap(), spelled);
        assert_eq!(&spelled.to_base64()[..], BASE64.as_bytes());
    }

    #[test]
    fn a_missing_file_is_made_for_its_owner_alone() {
        let (_folder, path) = folder();
        let made = long_term_key_file(&path).unwrap();
        assert_eq!(long_term_key_file(&path).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(master_key_file(&path).is_ok(), "a master key has the same form");
    }

    #[test]
    fn a_new_long_term_key_replaces_the_old_one_whole() {
        let (folder, path) = folder();
        fs::write(&path, HEX).unwrap();
        let key = LongTermKey::from_bytes([9; 32]);
        replace_long_term_key(&path, &key).unwrap();
        assert_eq!(long_term_key_file(&path).unwrap(), key);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_bad_key_file_is_rejected_without_its_content() {
        let (_folder, path) = folder();
        fs::write(&path, &BASE64[1..]).unwrap();
        for error in [long_term_key_file(&path).err(), master_key_file(&path).err()] {
            let text = error.expect("43 characters are no key").to_string();
            assert!(!text.contains(&BASE64[5..20]) && text.contains("correct the file"), "{text}");
        }
    }

    #[test]
    fn both_forms_of_a_card_are_read() {
        let (_folder, path) = folder();
        for card in ["/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8mh", "/GE7 Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8k="] {
            fs::write(&path, card).unwrap();
            assert!(master_key_file(&path).is_ok(), "{card}");
        }
    }
}
