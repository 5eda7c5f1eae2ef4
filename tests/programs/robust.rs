//! Kills, full disks, broken pipes: the daemon returns or continues, and never outputs a byte that no key sent.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ekey_tests::await_until::assert_stays;
use ekey_tests::serving::{running, started};
use ekey_tests::software_key::Plug;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Program, Scratch, await_until, binaries, blocks};
use nix::sys::signal::Signal;

const NOBODY: u32 = 65_534;

#[test]
fn twenty_kills_corrupt_nothing() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key");
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    let daemons = DaemonPlan::default().key(&plan, &key).file(&output, None);
    let mut moments = Moments(0x5eed_0001);
    for kill in 0..20 {
        let before = blocks::blocks_in(&output);
        let mut daemon = daemons.spawn(&scratch);
        // A fifth of the kills hit the start, before any entropy.
        if kill % 5 == 4 {
            let pause = Duration::from_micros(moments.next(20_000));
            assert_stays(pause, || Ok(()));
        } else {
            daemon.await_blocks(&output, before + 1 + moments.next(6000));
        }
        daemon.program.kill();
    }
    let before = blocks::blocks_in(&output);
    let mut daemon = daemons.start(&scratch);
    daemon.await_blocks(&output, before + 5000);
    daemon.await_state(&scratch, "running");
    daemon.program.kill();
    blocks::assert_in_order(&output, &key.plain_log);
}

#[test]
fn another_user_takes_over_a_killed_daemons_pty() {
    let plan = KeyPlan::named("key").rate(126).plug(Plug::Pty);
    let (scratch, key, mut daemon) = running(&plan, |daemon| daemon);
    daemon.program.kill();

    // Other users than root lack CAP_SYS_ADMIN already.
    let mut plan = DaemonPlan::default().key(&plan, &key);
    if nix::unistd::geteuid().is_root() {
        // The target folder may be closed to other users. Another program makes the copy: a file that this process has
        // open cannot be run.
        let copy = scratch.path("ekeyd");
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(binaries::built("ekeyd")).arg(&copy);
        assert_eq!(Program::run("install", install, &scratch).code, Some(0));
        for path in [scratch.folder(), &scratch.path("keyring"), &daemon.control, &key.path] {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give it away");
        }
        plan = plan.program(&copy).user(NOBODY);
    }
    let mut daemon = plan.start(&scratch);
    let owner = fs::metadata(format!("/proc/{}", daemon.program.id())).expect("it runs").uid();
    assert_ne!(owner, 0, "it runs as root");
    daemon.await_state(&scratch, "running");
}

#[test]
fn a_full_disk_is_logged_once_and_the_key_runs() {
    let (scratch, _key, mut daemon) =
        started(&KeyPlan::named("key").rate(2000), |daemon| daemon.file(Path::new("/dev/full"), None).egd());
    goes_on_with_one_line(&scratch, &mut daemon, "/dev/full");
}

#[test]
fn a_lost_reader_is_logged_once_and_the_key_runs() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let pipe = scratch.path("pipe");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.arg(&pipe);
    let made = Program::run("mkfifo", mkfifo, &scratch);
    assert_eq!(made.code, Some(0), "{made:?}");

    let mut daemon = DaemonPlan::default().key(&plan, &key).file(&pipe, None).start(&scratch);
    let mut reader = File::open(&pipe).expect("the daemon opens the pipe's other end");
    let mut seen = vec![0; 100 * blocks::BLOCK];
    reader.read_exact(&mut seen).expect("the daemon writes to the pipe");
    drop(reader);
    assert_eq!(blocks::is_in_order(&seen, &blocks::read(&key.plain_log)), Ok(()), "what came through the pipe");
    goes_on_with_one_line(&scratch, &mut daemon, "pipe");
}

#[test]
fn sigterm_ends_it_with_0_and_removes_its_sockets() {
    let (_scratch, _key, mut daemon) = running(&KeyPlan::named("key").rate(126), DaemonPlan::egd);
    daemon.program.signal(Signal::SIGTERM);
    let ended = daemon.program.wait();
    assert_eq!(ended.code(), Some(0), "how it ended");
    for socket in [&daemon.control, &daemon.egd] {
        assert!(socket.symlink_metadata().is_err(), "{} was left behind", socket.display());
    }
}

#[test]
fn a_readable_keyring_is_refused_with_its_remedy() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let daemons = DaemonPlan::default().key(&plan, &key);
    // The first start writes the files; the second finds the keyring readable.
    drop(daemons.spawn(&scratch));
    let keyring = scratch.path("keyring");
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o644)).expect("a file of its own");

    let mut command = binaries::command("ekeyd");
    command.args(["run", "--config"]).arg(scratch.path("ekeyd.toml"));
    let mut program = Program::spawn("ekeyd-open-keyring", command, &scratch);
    await_until("the hint to run chmod", || {
        let words = program.stderr();
        let hint = words.contains("chmod 600") || words.contains("chmod 0600");
        (hint && words.contains("keyring")).then_some(())
    });
    program.kill();
}

/// Checks for two seconds that the key's frames keep coming, and that exactly one line of the log is about the output
/// `about`.
fn goes_on_with_one_line(scratch: &Scratch, daemon: &mut Daemon, about: &str) {
    let mut lines = || {
        let log = daemon.program.stderr();
        assert_eq!(daemon.program.ended(), None, "ekeyd ended");
        let lines = log.lines().filter(|line| is_trouble(line, about));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    await_until("a log line about the output", || (!lines().is_empty()).then_some(()));
    assert_stays(Duration::from_secs(2), || match lines().as_slice() {
        [_] => Ok(()),
        more => Err(format!("expected one line, got {}: {more:#?}", more.len())),
    });
    let before = daemon.status(scratch).key(0).frames("ok");
    await_until("100 more frames", || (daemon.status(scratch).key(0).frames("ok") >= before + 100).then_some(()));
    daemon.await_state(scratch, "running");
}

fn is_trouble(line: &str, about: &str) -> bool {
    let trouble = ["WARN", "ERROR"].iter().any(|level| line.contains(level));
    trouble && line.contains(about)
}

/// Moments that look random and repeat in each run (xorshift).
struct Moments(u64);

impl Moments {
    /// Returns a number below `bound`.
    fn next(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
