//! A keyring with any content: it reads as it was written, setting or removing one key changes nothing else, and no
//! error repeats a key.

use std::path::Path;

use ekey_keyring::{Keyring, KeyringError};
use ekey_proto::{LongTermKey, Serial};

use crate::choices::Choices;

/// Reads any text, then changes some keys.
pub fn keyring(data: &[u8]) {
    let mut choices = Choices::new(data);
    let changes = choices.bytes(4);
    let text = text(&mut choices);
    let mut keyring = match read(&text) {
        Ok(keyring) => keyring,
        Err(error) => return refused(&text, &error.to_string()),
    };
    assert_eq!(keyring.text(), text, "the text is kept byte for byte");
    for change in changes {
        let serial = Serial::from_bytes([change & 3; 12]);
        let before = entries(&keyring);
        let others: Vec<u8> = comments(keyring.text());
        let was_there = before.iter().any(|(there, _)| *there == serial);
        let set = if change & 4 == 0 {
            let key = [change >> 3; 32];
            keyring.set(serial, LongTermKey::from_bytes(key));
            Some((serial, LongTermKey::from_bytes(key).to_base64()))
        } else {
            assert_eq!(keyring.remove(&serial), was_there);
            None
        };
        let mut after = before;
        after.retain(|(there, _)| *there != serial);
        after.extend(set);
        after.sort_unstable_by_key(|(serial, _)| *serial);
        assert_eq!(entries(&keyring), after, "in memory, after change {change:#x}");
        let written = read(keyring.text()).expect("a changed keyring can be read");
        assert_eq!(entries(&written), after, "in the file, after change {change:#x}");
        assert!(!written.warnings().iter().any(|warning| warning.contains(&serial.to_string())));
        assert_eq!(comments(keyring.text()), others, "blank lines and comments");
        assert!(keyring.text().len() <= text.len() + 5 * 64, "it grows without limit");
    }
}

/// Builds a text of whole lines, damaged lines and anything else.
fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    while !choices.is_empty() {
        match choices.below(4) {
            0 | 1 => {
                let serial = Serial::from_bytes([choices.byte() & 3; 12]);
                text.extend(serial.to_text());
                text.push([b' ', b'\t', b' ', b'\r'][choices.below(4)]);
                text.extend(LongTermKey::from_bytes([choices.byte(); 32]).to_base64());
            }
            2 => {
                text.push(b'#');
                text.extend(choices.some(40).iter().filter(|byte| **byte != b'\n'));
            }
            _ => text.extend(choices.some(120)),
        }
        text.extend([&b"\n"[..], b"\r\n", b" \n", b""][choices.below(4)]);
    }
    text
}

fn read(text: &[u8]) -> Result<Keyring, KeyringError> {
    Keyring::parse(Path::new("/keyring"), text.to_vec().into())
}

fn entries(keyring: &Keyring) -> Vec<(Serial, [u8; LongTermKey::TEXT_LEN])> {
    keyring.serials().map(|serial| (*serial, keyring.get(serial).expect("its key").to_base64())).collect()
}

/// Returns all blank lines and comments, joined.
fn comments(text: &[u8]) -> Vec<u8> {
    let says_nothing = |line: &&[u8]| line.trim_ascii().is_empty() || line.trim_ascii().starts_with(b"#");
    text.split(|byte| *byte == b'\n').filter(says_nothing).filter(|line| !line.is_empty()).flatten().copied().collect()
}

fn refused(text: &[u8], error: &str) {
    assert!(error.len() < 10_000, "an error of {} bytes", error.len());
    for word in text.split(u8::is_ascii_whitespace).filter(|word| word.len() >= 40) {
        let word = String::from_utf8_lossy(word);
        assert!(!error.contains(&*word), "the error repeats a key: {error}");
    }
}
