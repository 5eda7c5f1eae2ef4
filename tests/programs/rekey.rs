//! `ekey-ctl rekey`: a new long-term key without losing the old one, the other keys, or the key itself.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use ekey_tests::proxy::Proxy;
use ekey_tests::serving::started;
use ekey_tests::software_key::{
    LONG_TERM_KEY, MASTER_KEY, MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL, SoftwareKey,
};
use ekey_tests::{Daemon, DaemonPlan, Finished, KeyPlan, Program, Scratch, binaries};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Spaces and a line break, as people type it.
const TYPED: &str = "/GE7 Tf1n Nqe9 JoyK DnTt DRwE\n qVn1 nddO 8odJ g/1E P8mh\n";
const HEAD: &str = "# kept\n";
/// CAP_IPC_LOCK of capabilities(7): the limit of locked memory does not count.
const IPC_LOCK: u64 = 1 << 14;
/// The first half of [`MASTER_KEY`], decoded.
const MASTER_KEY_START: [u8; 16] =
    [0xfc, 0x61, 0x3b, 0x4d, 0xfd, 0x67, 0x36, 0xa7, 0xbd, 0x26, 0x8c, 0x8a, 0x0e, 0x74, 0xed, 0x0d];

#[test]
fn rekeying_one_key_leaves_the_other_running() {
    let scratch = Scratch::make();
    let scene = Scene::two_keys(&scratch);
    let other = scene.keys[1].path.display().to_string();
    let before = scene.daemon.status(&scratch).key_at(&other).expect("the daemon lists the key").resets();

    let finished = scene.rekey(&scratch, &[SERIAL, "--json"], TYPED);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!((&json["serial"], &json["daemon"]), (&SERIAL.into(), &"has-it-back".into()), "{json}");
    assert_eq!((&json["state"], &json["proven"]), (&"Running OK".into(), &true.into()), "{json}");

    let text = keyring(&scratch);
    assert!(text.starts_with(HEAD), "the comment is gone:\n{text}");
    assert!(text.contains(&format!("{SECOND_SERIAL} {SECOND_LONG_TERM_KEY}\n")), "the other key is gone:\n{text}");
    assert!(text.contains(SERIAL) && !text.contains(LONG_TERM_KEY), "the old long-term key is there:\n{text}");
    let mode = fs::metadata(scratch.path("keyring")).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let after = scene.daemon.status(&scratch);
    assert_eq!(
        after.key_at(&other).expect("the daemon lists the key").resets(),
        before,
        "the other key was disturbed: {after}"
    );
    assert_eq!(after.keys(), 2);
    let new = text.split_whitespace().find(|word| word.len() == 44 && *word != SECOND_LONG_TERM_KEY).expect("a key");
    assert!(!finished.words().contains(new), "the new long-term key is shown");
}

#[test]
fn the_only_key_needs_no_name_two_keys_do() {
    let scratch = Scratch::make();
    let scene = Scene::two_keys(&scratch);
    let finished = scene.rekey(&scratch, &[], TYPED);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains(SERIAL) && finished.stderr.contains(SECOND_SERIAL), "{finished:?}");
    assert_eq!(scene.daemon.ctl(&scratch, &["remove", SECOND_SERIAL]).code, Some(0));
    let finished = scene.rekey(&scratch, &[], TYPED);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains(SERIAL), "{finished:?}");
}

#[test]
fn a_wrong_master_key_changes_nothing() {
    let scratch = Scratch::make();
    let mut scene = Scene::two_keys(&scratch);
    let before = keyring(&scratch);
    // Base64 of 32 bytes without check digits, not this key's.
    let finished = scene.rekey(&scratch, &[SERIAL], SECOND_LONG_TERM_KEY);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("nothing was changed"), "{finished:?}");
    assert_eq!(keyring(&scratch), before);
    scene.await_running(&scratch, 0);
}

#[test]
fn a_mistyped_master_key_stops_before_the_key_changes() {
    let scratch = Scratch::make();
    let scene = Scene::two_keys(&scratch);
    let before = scene.resets(&scratch, 0);
    for typed in [TYPED.replace("P8mh", "P8mi"), TYPED.replace("P8mh", ""), String::new(), "A".repeat(10_000)] {
        let finished = scene.rekey(&scratch, &[SERIAL], &typed);
        assert_eq!(finished.code, Some(1), "{finished:?} of {typed:?}");
    }
    assert_eq!(scene.resets(&scratch, 0), before, "the key was reset");
}

#[test]
fn a_readonly_keyring_stops_before_the_key_changes() {
    let scratch = Scratch::make();
    let scene = Scene::two_keys(&scratch);
    let before = scene.resets(&scratch, 0);
    let finished = scene.rekey(&scratch, &[SERIAL, "--keyring", "/proc/keyring"], TYPED);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("nothing was changed"), "{finished:?}");
    assert_eq!(scene.resets(&scratch, 0), before, "the key was reset");
}

#[test]
fn the_printed_command_repairs_the_keyring() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let key = plan.plug_in(&scratch);
    let (path, aside) = (scratch.path("keyring"), scratch.path("aside"));
    // While the key accepts a new long-term key, a folder replaces the keyring: not even root can rename a file over
    // it.
    let proxy = {
        let (path, aside) = (path.clone(), aside.clone());
        let act = move || {
            fs::rename(&path, &aside).expect("a file of its own");
            fs::create_dir(&path).expect("a folder of its own");
        };
        Proxy::before(b'L', act, &scratch.path("proxy.key"), &key.path)
    };
    let mut daemon = DaemonPlan::default().keyring_line(&format!("{HEAD}{}", plan.keyring_line())).start(&scratch);
    let proxied = proxy.path.display().to_string();
    assert_eq!(daemon.ctl(&scratch, &["add", &proxied]).code, Some(0));
    daemon.await_state(&scratch, "running");

    let finished = run(&scratch, &daemon.control, &["--json", "--device", &proxied], TYPED);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let json: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let kept = PathBuf::from(json["kept_in"].as_str().expect("the path where it is kept"));
    assert_eq!(kept.parent(), Some(scratch.folder()), "it is kept next to the keyring");
    assert_eq!(fs::metadata(&kept).expect("it exists").permissions().mode() & 0o777, 0o600);
    let line = fs::read_to_string(&kept).expect("it exists");
    let secret = line.split_whitespace().nth(1).expect("a serial number and a key");
    assert!(!finished.words().contains(secret), "the new long-term key is shown");
    let old = daemon.await_state(&scratch, "long-term-key-bad");
    assert_eq!(old.keys(), 1, "the daemon has the key back");

    fs::remove_dir(&path).expect("a folder of its own");
    fs::rename(&aside, &path).expect("a file of its own");
    let command = finished.stderr.lines().find_map(|line| line.trim().strip_prefix("ekey-ctl keyring add "));
    let command = command.unwrap_or_else(|| panic!("no command in {finished:?}"));
    let words: Vec<&str> = ["keyring", "add"].into_iter().chain(command.split(' ')).collect();
    let mended = daemon.ctl(&scratch, &words);
    assert_eq!(mended.code, Some(0), "{words:?}: {mended:?}");
    assert_eq!(keyring(&scratch), format!("{HEAD}{line}"));
    daemon.await_state(&scratch, "running");
}

#[test]
fn no_signal_ends_it_before_the_key_is_kept() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let key = plan.plug_in(&scratch);
    let before = scratch.write("keyring", &plan.keyring_line(), 0o600);
    let card = scratch.write("card", TYPED, 0o600);
    let mut secrets = vec![fs::read_to_string(&before).expect("it was written")];
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGTERM] {
        // Before the key receives the command, the tool receives the signals: it has no new long-term key yet.
        let (send_id, id) = mpsc::channel();
        let act = move || {
            let id: u32 = id.recv().expect("the tool was started");
            assert_private(id);
            let id = Pid::from_raw(id.try_into().expect("a process id"));
            // The first one ends the tool before the second one can stop it, once they are delivered.
            kill(id, signal).expect("it runs");
            kill(id, Signal::SIGTSTP).expect("it runs");
        };
        let proxy = Proxy::before(b'L', act, &scratch.path(&format!("{signal}.key")), &key.path);
        // A background job of a script ignores some signals, and its children inherit that: reset them.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,QUIT,USR1,ALRM,TERM,TSTP", "sh", "-c"]);
        command.args(["ulimit -c unlimited; exec \"$@\"", "sh"]).arg(binaries::built("ekey-ctl"));
        command.args(["rekey", "--device"]).arg(&proxy.path).arg("--keyring").arg(&before);
        command.arg("--master-file").arg(&card).arg("--socket").arg(scratch.path("no-daemon.sock"));
        let mut tool = Program::spawn(&format!("rekey-{signal}"), command, &scratch);
        send_id.send(tool.id()).expect("the proxy waits for it");
        let status = tool.wait();
        assert_eq!(status.signal(), Some(signal as i32), "{status}: {}", tool.stderr());
        assert!(!status.core_dumped(), "{status}");
        let text = keyring(&scratch);
        assert!(text.starts_with(SERIAL) && !secrets.contains(&text), "{signal}: the new long-term key is lost");
        secrets.push(text);
    }
    let mut daemon = DaemonPlan::default().unknown_key(&key).keyring_line(&keyring(&scratch)).start(&scratch);
    daemon.await_state(&scratch, "running");
}

/// Checks what the kernel reports about the memory of `ekey-ctl rekey`, which holds secrets.
fn assert_private(id: u32) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).expect("it runs");
    let limits = read("limits");
    let limit =
        |name: &str| limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit").trim().to_owned();
    assert!(limit("Max core file size").starts_with("0 "), "{limits}");
    let status = read("status");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("a field").trim();
    let rights = u64::from_str_radix(field("CapEff:"), 16).expect("a number");
    let may_lock_all = rights & IPC_LOCK != 0 || limit("Max locked memory").starts_with("unlimited");
    assert!(field("VmLck:") != "0 kB" || !may_lock_all, "no memory is locked: {status}{limits}");
    if let Ok(memory) = File::open(format!("/proc/{id}/mem")) {
        assert_eq!(copies_of_master_key(&memory, &read("maps")), 1, "the master key is in one place");
    } else {
        println!("only root can read the memory of the tool");
    }
}

/// Counts the copies of the master key in the writable memory of a program. `maps`: its mappings, proc_pid_maps(5).
fn copies_of_master_key(memory: &File, maps: &str) -> usize {
    let writable = maps.lines().filter(|line| line.contains(" rw-p "));
    let copies = writable.map(|line| {
        let (start, end) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("a range");
        let start = u64::from_str_radix(start, 16).expect("an address");
        let end = u64::from_str_radix(end, 16).expect("an address");
        let mut bytes = vec![0; usize::try_from(end - start).expect("a length")];
        let readable = memory.read_exact_at(&mut bytes, start).is_ok();
        if readable { bytes.windows(16).filter(|bytes| *bytes == MASTER_KEY_START).count() } else { 0 }
    });
    copies.sum()
}

#[test]
fn a_failing_output_does_not_lose_the_new_key() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let key = plan.plug_in(&scratch);
    let (path, aside) = (scratch.path("keyring"), scratch.path("aside"));
    let (send_id, id) = mpsc::channel();
    // The tool can neither write the keyring, nor give the key back, nor say so.
    let act = move || {
        fs::rename(&path, &aside).expect("a file of its own");
        fs::create_dir(&path).expect("a folder of its own");
        kill(Pid::from_raw(id.recv().expect("the daemon runs")), Signal::SIGKILL).expect("the daemon runs");
    };
    let proxy = Proxy::before(b'L', act, &scratch.path("proxy.key"), &key.path);
    let mut daemon = DaemonPlan::default().keyring_line(&plan.keyring_line()).start(&scratch);
    let proxied = proxy.path.display().to_string();
    assert_eq!(daemon.ctl(&scratch, &["add", &proxied]).code, Some(0));
    daemon.await_state(&scratch, "running");
    send_id.send(daemon.program.id().try_into().expect("a process id")).expect("the proxy waits for it");

    let card = scratch.write("card", TYPED, 0o600);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" >/dev/full 2>&1", "sh"]).arg(binaries::built("ekey-ctl"));
    command.args(["rekey", "--json", "--master-file"]).arg(card).arg("--socket").arg(&daemon.control);
    command.args(["--device", &proxied, "--config"]).arg(&daemon.config);
    let finished = Program::run("ekey-ctl-rekey", command, &scratch);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let files = fs::read_dir(scratch.folder()).expect("a folder of its own").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let kept = names.filter(|name| name.starts_with("ekey-") && name.ends_with(".ltk")).count();
    assert_eq!(kept, 1, "the new long-term key is not kept next to the keyring");
}

#[test]
fn without_a_daemon_a_key_at_a_node_is_rekeyed() {
    let scratch = Scratch::make();
    let key = KeyPlan::named("key").master_key(MASTER_KEY).plug_in(&scratch);
    let node = key.path.display().to_string();
    let new = scratch.path("new.keyring").display().to_string();
    let nobody = scratch.path("no-daemon.sock");
    let other = run(&scratch, &nobody, &[SECOND_SERIAL, "--device", &node, "--keyring", &new], MASTER_KEY_ON_CARD);
    assert_eq!(other.code, Some(1), "a key other than the named one: {other:?}");
    assert!(!Path::new(&new).exists(), "it made a keyring needlessly");
    let finished = run(&scratch, &nobody, &["--device", &node, "--keyring", &new], MASTER_KEY_ON_CARD);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let text = fs::read_to_string(&new).expect("it was made");
    let mut daemon = DaemonPlan::default().unknown_key(&key).keyring_line(&text).start(&scratch);
    daemon.await_state(&scratch, "running");
}

#[test]
fn a_key_that_does_not_use_its_new_key_is_no_success() {
    let scratch = Scratch::make();
    // The key derives each session key from another long-term key than the one that it agreed.
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126).fault("ltk-mismatch:1");
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("keyring", "", 0o600).display().to_string();
    let (node, nobody) = (key.path.display().to_string(), scratch.path("no-daemon.sock"));
    let words = ["--device", &node, "--keyring", &keyring, "--json"];
    let finished = run(&scratch, &nobody, &words, MASTER_KEY_ON_CARD);
    assert_eq!(finished.code, Some(4), "{finished:?}");
    let json: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(
        (&json["ok"], &json["proven"], &json["unchanged"]),
        (&false.into(), &false.into(), &false.into()),
        "{json}"
    );
    assert!(finished.stderr.contains("stored, but unproven"), "{finished:?}");
    let text = fs::read_to_string(&keyring).expect("it exists");
    assert!(text.contains(SERIAL), "the new long-term key is not stored: {text:?}");
}

#[test]
fn a_key_that_leaves_before_the_proof_is_no_success() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let SoftwareKey { path, program: mut key, .. } = plan.plug_in(&scratch);
    let keyring = scratch.write("keyring", "", 0o600).display().to_string();
    // The first command for a session key comes after the new long-term key is stored.
    let stored = keyring.clone();
    let act = move || {
        assert!(fs::read_to_string(stored).expect("it exists").contains(SERIAL), "the proof came before the keyring");
        key.kill();
    };
    let proxy = Proxy::before(b'K', act, &scratch.path("proxy.key"), &path);
    let (node, nobody) = (proxy.path.display().to_string(), scratch.path("no-daemon.sock"));
    let finished = run(&scratch, &nobody, &["--device", &node, "--keyring", &keyring], MASTER_KEY_ON_CARD);
    assert_eq!(finished.code, Some(4), "{finished:?}");
    assert!(finished.stderr.contains("stored, but unproven"), "{finished:?}");
}

#[test]
fn a_key_that_does_not_answer_is_handed_back() {
    let (scratch, _key, daemon) =
        started(&KeyPlan::named("key").master_key(MASTER_KEY).wedge("until-replug"), |daemon| daemon);
    let before = keyring(&scratch);
    let finished = run(&scratch, &daemon.control, &[], TYPED);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("does not answer"), "{finished:?}");
    assert_eq!(keyring(&scratch), before);
    assert_eq!(daemon.status(&scratch).keys(), 1, "the daemon has the key back");
}

/// A daemon with two running keys.
struct Scene {
    daemon: Daemon,
    keys: [SoftwareKey; 2],
}

impl Scene {
    fn two_keys(scratch: &Scratch) -> Self {
        let plans = [
            KeyPlan::named("one").master_key(MASTER_KEY).rate(126),
            KeyPlan::named("two").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).rate(126),
        ];
        let keys = plans.each_ref().map(|plan| plan.plug_in(scratch));
        let daemon = DaemonPlan::default().keyring_line(HEAD).key(&plans[0], &keys[0]).key(&plans[1], &keys[1]);
        let mut scene = Self { daemon: daemon.start(scratch), keys };
        scene.await_running(scratch, 0);
        scene.await_running(scratch, 1);
        scene
    }

    fn await_running(&mut self, scratch: &Scratch, key: usize) {
        let path = self.keys[key].path.display().to_string();
        let control = self.daemon.control.clone();
        self.daemon.program.await_while_running(&format!("{path} to run"), || {
            let mut command = binaries::command("ekey-ctl");
            command.args(["status", "--json", "--socket"]).arg(&control);
            let status = ekey_tests::Status::of(&Program::run("status", command, scratch));
            let runs = status.key_at(&path).is_some_and(|key| key.state() == "running");
            runs.then_some(())
        });
    }

    fn resets(&self, scratch: &Scratch, key: usize) -> u64 {
        let path = self.keys[key].path.display().to_string();
        self.daemon.status(scratch).key_at(&path).expect("the daemon lists the key").resets()
    }

    fn rekey(&self, scratch: &Scratch, words: &[&str], master_key: &str) -> Finished {
        run(scratch, &self.daemon.control, words, master_key)
    }
}

/// Runs `ekey-ctl rekey` with a master key on its standard input.
fn run(scratch: &Scratch, control: &Path, words: &[&str], master_key: &str) -> Finished {
    let card = scratch.write("card", master_key, 0o600);
    let mut command = Command::new("sh");
    command.args(["-c", "card=$1; shift; exec \"$@\" <\"$card\"", "sh"]).arg(card);
    command.arg(binaries::built("ekey-ctl")).arg("rekey").args(words).arg("--socket").arg(control);
    // Root does not take the daemon's word.
    let config = scratch.path("ekeyd.toml");
    if config.exists() {
        command.arg("--config").arg(config);
    }
    Program::run("ekey-ctl-rekey", command, scratch)
}

fn keyring(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.path("keyring")).expect("the keyring is there")
}
