//! Nonces on a machine where everything but the counter repeats, with states and folders of any kind.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

/// A board before its generator is ready: every start gives the same bytes, boot id and times.
const REPEATING: Host = Host {
    random: |out| {
        out.fill(0x5a);
        Ok(())
    },
    is_ready: || READY.get(),
    boot_id: || b"00000000-0000-4000-8000-000000000000\n".to_vec(),
    clocks: || [7, 7],
};

/// A folder whose counter was made while the generator was ready; it is not ready now.
fn folder_with_a_counter() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    READY.set(true);
    Nonces::new(folder.path(), REPEATING).next().unwrap();
    READY.set(false);
    folder
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("nonce-counter")
}

fn made(nonces: &Nonces) -> [u8; Nonce::LEN] {
    *nonces.next().unwrap().nonce.as_bytes()
}

#[test]
fn no_start_repeats_a_nonce_of_another() {
    let folder = folder_with_a_counter();
    let mut seen = HashSet::new();
    for start in 0..50 {
        // Dropping it is the end that a kill makes too: it writes nothing.
        let nonces = Nonces::new(folder.path(), REPEATING);
        for number in 0..start {
            let fresh = nonces.next().unwrap();
            assert!(fresh.is_certain && fresh.is_early, "nonce {number} of start {start}");
            assert!(seen.insert(*fresh.nonce.as_bytes()), "nonce {number} of start {start} is an old one");
        }
    }
}

#[test]
fn a_long_run_reserves_again_before_it_goes_on() {
    let folder = folder_with_a_counter();
    let (nonces, mut seen) = (Nonces::new(folder.path(), REPEATING), HashSet::new());
    let mut files = HashSet::new();
    for number in 0..140_000 {
        assert!(seen.insert(made(&nonces)), "nonce {number} is an old one");
        if number % 1000 == 0 {
            files.insert(fs::read(file(&folder)).unwrap());
            // What a start at this moment would give.
            assert!(seen.insert(made(&Nonces::new(folder.path(), REPEATING))), "after {number}");
        }
    }
    assert!(files.len() > 3, "the file was written {} times", files.len());
}

#[test]
fn without_a_counter_an_early_nonce_is_not_certain() {
    let folder = tempfile::tempdir().unwrap();
    let nonces = Nonces::new(folder.path(), REPEATING);
    READY.set(false);
    let early = nonces.next().unwrap();
    assert!(!early.is_certain && early.is_early);
    assert!(!file(&folder).exists(), "a file was started that every start of the machine would start alike");
    assert_eq!(nonces.status().problem, None, "this passes without a person");
    READY.set(true);
    let later = nonces.next().unwrap();
    assert!(later.is_certain && !later.is_early);
    READY.set(false);
    assert!(Nonces::new(folder.path(), REPEATING).next().unwrap().is_certain, "now there is a counter");
}

#[test]
fn clones_share_one_counter() {
    let folder = folder_with_a_counter();
    let nonces = Nonces::new(folder.path(), REPEATING);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let nonces = nonces.clone();
            std::thread::spawn(move || (0..500).map(|_| made(&nonces)).collect::<Vec<_>>())
        })
        .collect();
    let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 2000);
}

#[test]
fn two_daemons_may_share_a_state_folder() {
    let folder = folder_with_a_counter();
    let [one, other] = [(); 2].map(|()| Nonces::new(folder.path(), REPEATING));
    let mut seen = HashSet::new();
    for number in 0..70_000 {
        assert!(seen.insert(made(&one)) && seen.insert(made(&other)), "nonce {number}");
    }
}

#[test]
fn a_damaged_counter_is_replaced_when_that_is_safe() {
    let good = fs::read(file(&folder_with_a_counter())).unwrap();
    let cut = &good[..20];
    let long = [good.as_slice(), b"0"].concat();
    let huge = vec![b'0'; 5_000_000];
    for content in [b"".as_slice(), b"\0", cut, &long, &huge, b"-0000000000000000000000000000001\n", &[b'f'; 32]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(file(&folder), content).unwrap();
        is_replaced_when_ready(&folder);
    }
    let full = [b"f".repeat(32).as_slice(), b"\n"].concat();
    let folder = tempfile::tempdir().unwrap();
    fs::write(file(&folder), full).unwrap();
    is_replaced_when_ready(&folder);
}

#[test]
fn a_planted_link_or_pipe_is_replaced_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "keep me").unwrap();
    symlink(&target, file(&folder)).unwrap();
    is_replaced_when_ready(&folder);
    assert_eq!(fs::read(target).unwrap(), b"keep me");
    let folder = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&file(&folder), nix::sys::stat::Mode::S_IRWXU).unwrap();
    is_replaced_when_ready(&folder);
}

/// Checks that what is in place of the counter counts as none, and that a ready generator starts a new one.
fn is_replaced_when_ready(folder: &tempfile::TempDir) {
    let nonces = Nonces::new(folder.path(), REPEATING);
    READY.set(false);
    assert!(!nonces.next().unwrap().is_certain);
    READY.set(true);
    assert!(nonces.next().unwrap().is_certain);
    READY.set(false);
    assert!(nonces.next().unwrap().is_certain, "no new counter");
    assert!(fs::symlink_metadata(file(folder)).unwrap().is_file());
}

#[test]
fn a_counter_set_back_repeats_nothing() {
    let folder = folder_with_a_counter();
    let old = fs::read(file(&folder)).unwrap();
    let (nonces, mut seen) = (Nonces::new(folder.path(), REPEATING), HashSet::new());
    for number in 0..140_000 {
        if number == 1000 {
            fs::write(file(&folder), &old).unwrap();
        }
        assert!(seen.insert(made(&nonces)), "nonce {number} is an old one");
    }
}

#[test]
fn an_unusable_folder_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o777)).unwrap();
    let blocked = folder.path().join("blocked");
    fs::create_dir_all(blocked.join("nonce-counter/full")).unwrap();
    for (path, words) in [(&missing, "state-dir"), (&shared, "chmod go-w"), (&blocked, "cannot write")] {
        let nonces = Nonces::new(path, REPEATING);
        READY.set(true);
        assert!(nonces.next().unwrap().is_certain, "the generator is ready");
        let problem = nonces.status().problem.unwrap_or_default();
        assert!(problem.contains(words) && problem.contains(&*path.display().to_string()), "{problem}");
        READY.set(false);
        assert!(!nonces.next().unwrap().is_certain, "{problem}");
    }
}

#[test]
fn any_part_that_changes_makes_another_nonce() {
    let folder = tempfile::tempdir().unwrap();
    let other_random: fn(&mut [u8]) -> io::Result<()> = |out| {
        out.fill(0x5b);
        Ok(())
    };
    READY.set(false);
    let hosts = [
        REPEATING,
        Host { random: other_random, ..REPEATING },
        Host { boot_id: Vec::new, ..REPEATING },
        Host { clocks: || [8, 7], ..REPEATING },
        Host { clocks: || [7, 8], ..REPEATING },
    ];
    let nonces: HashSet<_> = hosts.iter().map(|host| made(&Nonces::new(folder.path(), *host))).collect();
    assert_eq!(nonces.len(), hosts.len());
}

#[test]
fn this_machine_gives_all_parts() {
    let host = Host::default();
    assert!((host.is_ready)() && !(host.boot_id)().is_empty());
    assert!((host.clocks)().iter().all(|nanoseconds| *nanoseconds > 0));
}
