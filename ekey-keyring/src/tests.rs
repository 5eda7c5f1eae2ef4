//! Keyrings that are read, refused and written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use super::*;

const ONE: &str = "NwBvBlg3OTBJORFD";
const TWO: &str = "A/BvBlg3OTBJ+RFD";
const KEY: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

struct Place {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let place = Self::empty();
        fs::write(&place.path, text).expect("a file");
        place.set_mode(0o600);
        place
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keyring");
        Self { folder, path }
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("the keyring")
    }

    fn refusal(&self) -> KeyringError {
        Keyring::load(&self.path).err().expect("this keyring must be refused")
    }
}

fn serial(text: &str) -> Serial {
    text.parse().expect("a serial number")
}

fn key(text: &str) -> LongTermKey {
    LongTermKey::from_base64(text.as_bytes()).expect("a key")
}

#[test]
fn a_keyring_of_the_original_is_read() {
    let place = Place::with(format!("# Keyring\n\n{ONE} {KEY}\n \t{TWO}\t  {OTHER_KEY} \r\n#{TWO} gone\n"));
    let keyring = Keyring::load(&place.path).unwrap();
    assert_eq!(keyring.get(&serial(ONE)), Some(&key(KEY)));
    assert_eq!(keyring.get(&serial(TWO)), Some(&key(OTHER_KEY)));
    assert_eq!(keyring.get(&serial("AAAAAAAAAAAAAAAA")), None);
    assert_eq!(keyring.serials().collect::<Vec<_>>(), [&serial(TWO), &serial(ONE)]);
    assert_eq!(keyring.warnings(), [] as [String; 0]);
}

#[test]
fn the_last_of_two_keys_counts_with_a_warning() {
    let place = Place::with(format!("{ONE} {OTHER_KEY}\n{ONE} {KEY}"));
    let keyring = Keyring::load(&place.path).unwrap();
    assert_eq!(keyring.get(&serial(ONE)), Some(&key(KEY)));
    let expected = format!("{}:2: another key for {ONE}; this one counts, remove the other", place.path.display());
    assert_eq!(keyring.warnings(), [expected]);
}

#[test]
fn every_bad_line_is_numbered_and_none_is_shown() {
    let place = Place::with(format!("{ONE} {KEY}\n{ONE}\n{ONE} {KEY} more\nshort {KEY}\n{ONE} c2VjcmV0\n\u{e9}\n"));
    let refused = place.refusal().to_string();
    let path = place.path.display();
    let expected = [
        format!("{path}:2: expected a serial number and a key, with a blank between"),
        format!("{path}:3: expected a serial number and a key, with a blank between"),
        format!("{path}:4: the serial number must be the 16 characters on the key (base64)"),
        format!("{path}:5: the key must be 44 characters, the base64 of 32 bytes"),
        format!("{path}:6: expected a serial number and a key, with a blank between"),
    ];
    assert_eq!(refused.lines().collect::<Vec<_>>(), expected);
    assert!(!format!("{:?}", place.refusal()).contains("c2VjcmV0"), "no part of a key may be shown");
}

#[test]
fn another_kind_of_text_is_refused_in_a_few_lines() {
    let refused = Place::with("x\n".repeat(5000)).refusal().to_string();
    assert_eq!(refused.lines().count(), 21, "{refused}");
    assert!(refused.ends_with("4980 more malformed lines; correct the path if this is not a keyring"), "{refused}");
}

#[test]
fn a_keyring_that_others_can_open_is_refused() {
    let place = Place::with(format!("{ONE} {KEY}\n"));
    for mode in [0o640, 0o620, 0o604, 0o602, 0o610, 0o601] {
        place.set_mode(mode);
        let refused = place.refusal().to_string();
        assert!(refused.contains(&format!("mode {mode:04o}")), "{refused}");
        assert!(refused.ends_with(&format!("chmod 600 {}", place.path.display())), "{refused}");
    }
    place.set_mode(0o400);
    assert!(Keyring::load(&place.path).is_ok(), "only its owner can read it");
}

#[test]
fn a_keyring_of_another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can give a file away. Other users check that root's own files are not refused.
        assert!(!matches!(Keyring::load(Path::new("/etc/passwd")).err(), Some(KeyringError::Foreign { .. })));
        return;
    }
    let place = Place::with(format!("{ONE} {KEY}\n"));
    std::os::unix::fs::chown(&place.path, Some(65534), None).unwrap();
    let refused = place.refusal();
    assert!(matches!(refused, KeyringError::Foreign { uid: 65534, .. }), "{refused}");
}

#[test]
fn a_special_file_is_refused_without_waiting() {
    let place = Place::empty();
    assert!(matches!(place.refusal(), KeyringError::Missing { .. }));
    nix::unistd::mkfifo(&place.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(place.refusal(), KeyringError::NotAFile { .. }));
    let folder = Keyring::load(place.folder.path()).err().unwrap();
    assert!(matches!(folder, KeyringError::NotAFile { .. }), "{folder}");
    let device = Keyring::load(Path::new("/dev/zero")).err().unwrap();
    assert!(matches!(device, KeyringError::NotAFile { .. }), "{device}");
}

#[test]
fn an_oversized_keyring_is_refused() {
    let refused = Place::with(vec![b'#'; 1024 * 1024 + 1]).refusal();
    assert!(matches!(refused, KeyringError::TooLarge { .. }), "{refused}");
    assert!(Keyring::load(&Place::with(vec![b'#'; 1024 * 1024]).path).is_ok());
}

#[test]
fn a_key_is_replaced_in_its_place() {
    let before = format!("# head\r\n{ONE}\t{OTHER_KEY}\n  {TWO}   {OTHER_KEY}\n\n# tail without an end");
    let place = Place::with(&before);
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    assert_eq!(edit.keyring().get(&serial(ONE)), Some(&key(KEY)));
    edit.save().unwrap();
    let expected = before.replace(&format!("{ONE}\t{OTHER_KEY}"), &format!("{ONE} {KEY}"));
    assert_eq!(place.text(), expected);
    assert_eq!(Keyring::load(&place.path).unwrap().get(&serial(ONE)), Some(&key(KEY)));
}

#[test]
fn a_new_key_gets_its_own_line() {
    let place = Place::with("# no end of line");
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    edit.set(serial(TWO), key(OTHER_KEY));
    edit.save().unwrap();
    assert_eq!(place.text(), format!("# no end of line\n{ONE} {KEY}\n{TWO} {OTHER_KEY}\n"));
}

#[test]
fn a_missing_keyring_is_made() {
    let place = Place::empty();
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    edit.save().unwrap();
    assert_eq!(fs::metadata(&place.path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(Keyring::load(&place.path).unwrap().get(&serial(ONE)), Some(&key(KEY)));
    let files = fs::read_dir(place.folder.path()).unwrap().count();
    assert_eq!(files, 1, "no other file may be left");
}

#[test]
fn a_link_to_a_keyring_stays_a_link() {
    let place = Place::with(format!("{ONE} {OTHER_KEY}\n"));
    let link = place.folder.path().join("link");
    symlink(&place.path, &link).unwrap();
    let mut edit = KeyringEdit::begin(&link).unwrap();
    edit.set(serial(ONE), key(KEY));
    edit.save().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(place.text(), format!("{ONE} {KEY}\n"));
}

#[test]
fn a_write_that_fails_leaves_the_old_keyring() {
    let place = Place::with(format!("{ONE} {OTHER_KEY}\n"));
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    // Not even root can rename a file over a folder.
    let aside = place.folder.path().join("aside");
    fs::rename(&place.path, &aside).unwrap();
    fs::create_dir(&place.path).unwrap();
    let refused = edit.save().unwrap_err();
    assert!(matches!(refused, KeyringError::Unwritable { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&aside).unwrap(), format!("{ONE} {OTHER_KEY}\n"));
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 2, "no other file may be left");
}

#[test]
fn leftovers_of_a_crash_do_no_harm() {
    let place = Place::with("");
    let left_over = place.folder.path().join(format!(".keyring.{}-0.new", std::process::id()));
    fs::create_dir(left_over).unwrap();
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    edit.save().unwrap();
    assert_eq!(place.text(), format!("{ONE} {KEY}\n"));
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let place = Place::with("");
    let names = [".keyring.4242-0.new", ".keyring.1-17.new", ".keyring.a-1.new", ".other.1-1.new", "keyring.1-1.new"];
    for name in names {
        fs::write(place.folder.path().join(name), KEY).unwrap();
    }
    drop(KeyringEdit::begin(&place.path).unwrap());
    let left = names.map(|name| place.folder.path().join(name).exists());
    assert_eq!(left, [false, false, true, true, true], "{names:?}");
}

#[test]
fn a_link_to_nothing_is_refused() {
    let place = Place::empty();
    let link = place.folder.path().join("link");
    symlink(&place.path, &link).unwrap();
    let refused = KeyringEdit::begin(&link).err().expect("its file does not exist");
    assert!(matches!(&refused, KeyringError::Dangling { path } if *path == link), "{refused}");
    assert!(!place.path.exists() && link.is_symlink(), "it made a file elsewhere");
}

#[test]
fn a_key_is_removed_with_all_its_lines() {
    let place = Place::with(format!("# head\n{ONE} {OTHER_KEY}\n\t{TWO}  {KEY}\r\n{ONE} {KEY}\n#{ONE} {KEY}\n"));
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    assert!(edit.remove(&serial(ONE)));
    assert!(!edit.remove(&serial(ONE)), "it is gone");
    assert!(!edit.remove(&serial("AAAAAAAAAAAAAAAA")), "it was never there");
    assert_eq!(edit.keyring().serials().collect::<Vec<_>>(), [&serial(TWO)]);
    edit.save().unwrap();
    assert_eq!(place.text(), format!("# head\n\t{TWO}  {KEY}\r\n#{ONE} {KEY}\n"));
}

#[test]
fn an_abandoned_change_leaves_nothing_behind() {
    let place = Place::empty();
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    drop(edit);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 0, "there is still no keyring");

    let before = format!("{ONE} {OTHER_KEY}\n");
    let place = Place::with(&before);
    let mut edit = KeyringEdit::begin(&place.path).unwrap();
    edit.set(serial(ONE), key(KEY));
    drop(edit);
    assert_eq!(place.text(), before);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1, "no other file may be left");
}

#[test]
fn a_second_program_gets_an_error() {
    let place = Place::with("");
    let first = KeyringEdit::begin(&place.path).unwrap();
    let refused = KeyringEdit::begin_within(&place.path, &DaemonUser::default(), Duration::from_millis(50))
        .err()
        .expect("it is locked");
    assert!(matches!(refused, KeyringError::Locked { .. }), "{refused}");
    drop(first);
    assert!(KeyringEdit::begin_within(&place.path, &DaemonUser::default(), Duration::ZERO).is_ok());
}

#[test]
fn eight_programs_at_once_lose_no_change() {
    for place in [Place::with("# head\n"), Place::empty()] {
        let serials: Vec<Serial> = (0..64).map(|number| Serial::from_bytes([number; 12])).collect();
        std::thread::scope(|scope| {
            for mine in serials.chunks(8) {
                let path = &place.path;
                scope.spawn(move || {
                    for serial in mine {
                        let mut edit = KeyringEdit::begin(path).unwrap();
                        edit.set(*serial, key(KEY));
                        edit.save().unwrap();
                    }
                });
            }
        });
        let keyring = Keyring::load(&place.path).unwrap();
        assert_eq!(keyring.serials().copied().collect::<Vec<_>>(), serials);
        assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1, "no other file may be left");
    }
}

#[test]
fn an_unwritable_folder_fails_before_the_change() {
    let nowhere = Path::new("/proc/keyring");
    let refused = KeyringEdit::begin(nowhere).err().expect("no file can be made there");
    assert!(matches!(refused, KeyringError::Unwritable { .. }), "{refused}");
}

#[test]
fn root_writes_only_where_others_cannot_interfere() {
    let place = Place::with(format!("{ONE} {OTHER_KEY}\n"));
    let change = |path: &Path| KeyringEdit::begin(path).map(|mut edit| edit.set(serial(TWO), key(KEY)));
    let open = fs::Permissions::from_mode(0o777);
    let (outer, inner) = (place.folder.path().join("outer"), place.folder.path().join("outer/inner"));
    fs::create_dir(&outer).unwrap();
    fs::create_dir(&inner).unwrap();
    assert!(change(&inner.join("keyring")).is_ok(), "a folder of its own");

    fs::set_permissions(&outer, open).unwrap();
    symlink(&place.path, outer.join("link")).unwrap();
    let paths = [outer.join("keyring"), outer.join("link"), inner.join("keyring")];
    if !nix::unistd::geteuid().is_root() {
        assert!(paths.iter().all(|path| change(path).is_ok()), "others can give away only what is theirs");
        return;
    }
    for path in paths {
        let refused = change(&path).expect_err("others can change the folder");
        assert!(matches!(&refused, KeyringError::OpenFolder { path, .. } if *path == outer), "{refused}");
    }
    fs::set_permissions(&outer, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&outer, Some(65534), None).unwrap();
    let refused = change(&outer.join("keyring")).expect_err("another user owns the folder");
    assert!(matches!(&refused, KeyringError::OpenFolder { uid: 65534, .. }), "{refused}");
    assert_eq!(place.text(), format!("{ONE} {OTHER_KEY}\n"));
    assert_eq!(fs::read_dir(&outer).unwrap().count(), 2, "no other file may be left");
}

#[test]
fn in_the_daemons_folder_root_follows_no_link() {
    let place = Place::with(format!("{ONE} {OTHER_KEY}\n"));
    let Some(user) = nix::unistd::User::from_uid(65534.into()).unwrap() else { return };
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let daemon = DaemonUser::named(&user.name);
    let folder = place.folder.path().join("daemon");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
    let (keyring, link) = (folder.join("keyring"), folder.join("link"));
    let mut edit = KeyringEdit::begin_for(&keyring, &daemon).unwrap();
    edit.set(serial(ONE), key(KEY));
    edit.save().unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&keyring).unwrap());
    assert_eq!(owner, 65534, "it is the daemon's");
    assert!(Keyring::load_for(&keyring, &daemon).is_ok());
    symlink(&place.path, &link).unwrap();
    let refused = KeyringEdit::begin_for(&link, &daemon).err().expect("the daemon may have made the link");
    assert!(matches!(&refused, KeyringError::OpenFolder { .. }), "{refused}");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&place.path).unwrap());
    assert_eq!((place.text(), owner), (format!("{ONE} {OTHER_KEY}\n"), 0));
}
