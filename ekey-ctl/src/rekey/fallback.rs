//! Saves a new long-term key if the keyring cannot be written: in a file that only its owner can read.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ekey_proto::{LongTermKey, Serial};
use zeroize::Zeroizing;

/// How many files of earlier failures to step over.
const MOST_FILES: u32 = 100;

/// Writes the keyring line of `serial` to a new file with mode 0600, and syncs it: next to the keyring, else in the person's home,
/// else in the current folder. Returns its path.
///
/// # Errors
/// The system's error for the last folder, if no folder is writable.
pub(super) fn keep(serial: &Serial, key: &LongTermKey, keyring: &Path) -> io::Result<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let next_to_keyring = keyring.parent().map(Path::to_owned);
    keep_in(serial, key, [next_to_keyring, home, env::current_dir().ok()].into_iter().flatten())
}

fn keep_in(serial: &Serial, key: &LongTermKey, folders: impl Iterator<Item = PathBuf>) -> io::Result<PathBuf> {
    let secret = Zeroizing::new(key.to_base64());
    let line = Zeroizing::new([serial.to_text().as_slice(), b" ", secret.as_slice(), b"\n"].concat());
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders {
        match write(&folder, serial, &line) {
            Ok(path) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn write(folder: &Path, serial: &Serial, line: &[u8]) -> io::Result<PathBuf> {
    // A serial number may contain a slash.
    let name = serial.to_string().replace('/', ".");
    for number in 0..MOST_FILES {
        let path = folder.join(format!("ekey-{name}-{number}.ltk"));
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        };
        let written = file.write_all(line).and_then(|()| file.sync_all()).and_then(|()| File::open(folder)?.sync_all());
        if let Err(error) = written {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        return Ok(path);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_line_goes_to_a_new_file_in_a_writable_folder() {
        let folder = tempfile::tempdir().unwrap();
        let serial: Serial = "A/BvBlg3OTBJ+RFD".parse().unwrap();
        let key = LongTermKey::from_bytes([0; 32]);
        let folders = || ["/proc/nowhere".into(), folder.path().to_owned()].into_iter();
        let first = keep_in(&serial, &key, folders()).unwrap();
        let second = keep_in(&serial, &key, folders()).unwrap();
        assert_ne!(first, second);
        for path in [first, second] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let expected = format!("{serial} AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
        assert!(keep_in(&serial, &key, ["/proc/nowhere".into()].into_iter()).is_err());
    }
}
