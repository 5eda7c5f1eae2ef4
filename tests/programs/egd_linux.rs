//! `ekeyd` under the name `ekeyd-egd-linux`: the original's flags and behaviour, and a kernel that is fed although it
//! never asks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::ports::free_port;
use ekey_tests::{Program, Scratch, Status, await_until, binaries};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn it_feeds_this_machines_kernel() {
    let server = EgdServer::start(Manner::Serves);
    let scratch = Scratch::make();
    let mut command = named(&scratch);
    command.args(["-H127.0.0.1", &format!("-p{}", server.port()), "-b2", "-S6"]);
    let mut program = Program::spawn("client", command, &scratch);
    let control = scratch.path("control.sock");
    let status = program.await_while_running("the kernel to be fed", || {
        let status = control.exists().then(|| status(&scratch, &control))?;
        (status.count("/kernel/mixed_bytes") > 0).then_some(status)
    });
    // On a seeded kernel: one dose, and two blocks of 128 bytes ready for the next.
    await_until("the dose and the reserve", || (server.sent().len() >= 64 + 256).then_some(()));
    assert_eq!(status.at("/egd_client/state"), "connected", "{status}");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn in_the_background_it_writes_its_process_id() {
    let scratch = Scratch::make();
    let pid_file = scratch.path("pid");
    let mut command = named(&scratch);
    command.args([&format!("-p{}", free_port()), "-r1"]).arg(format!("-D{}", pid_file.display()));
    let finished = Program::run("client", command, &scratch);
    assert_eq!((finished.code, finished.words().as_str()), (Some(0), ""), "what the init script sees");
    let pid: i32 = await_until("the process id", || fs::read_to_string(&pid_file).ok()?.trim_end().parse().ok());
    let background = Background(Pid::from_raw(pid));
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(program) => {
            let expected = fs::canonicalize(binaries::built("ekeyd")).expect("it is built");
            assert_eq!(program, expected, "the process of that id");
        }
        // Only root may look.
        Err(error) => assert!(!nix::unistd::geteuid().is_root(), "process {pid}: {error}"),
    }
    let control = scratch.path("control.sock");
    await_until("a second attempt", || {
        let status = control.exists().then(|| status(&scratch, &control))?;
        (status.count("/egd_client/failures") >= 2).then_some(())
    });
    drop(background);
    await_until("the pid file to vanish", || (!pid_file.exists()).then_some(()));
}

#[test]
fn without_server_and_retry_it_ends_like_the_original() {
    let scratch = Scratch::make();
    let pid_file = scratch.path("pid");
    let mut command = named(&scratch);
    command.arg(format!("-p{}", free_port())).arg("-D").arg(&pid_file);
    let finished = Program::run("client", command, &scratch);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("127.0.0.1") && finished.stderr.contains("-r"), "{finished:?}");
    assert!(!pid_file.exists(), "the file names no process");
}

#[test]
fn it_has_the_originals_exit_codes() {
    for (words, code, expected) in [
        (&["-h"][..], 0, "-H HOST"),
        (&["-v"], 0, "ekeyd-egd-linux: Version "),
        (&["-b", "9"], 1, "expected a whole number from 1 to 4"),
        (&["-q"], 1, "-q"),
    ] {
        let scratch = Scratch::make();
        let mut command = named(&scratch);
        command.args(words);
        let finished = Program::run("client", command, &scratch);
        assert_eq!(finished.code, Some(code), "{words:?}: {finished:?}");
        assert!(finished.words().contains(expected), "{words:?}: {finished:?}");
    }
}

/// Returns a command for the daemon behind a link of the original's name, with a control socket in the scratch folder.
fn named(scratch: &Scratch) -> Command {
    let link: PathBuf = scratch.path("ekeyd-egd-linux");
    symlink(binaries::built("ekeyd"), &link).expect("a link can be made");
    let mut command = Command::new(link);
    command.arg("-C").arg(scratch.path("control.sock"));
    command
}

fn status(scratch: &Scratch, control: &Path) -> Status {
    let mut command = binaries::command("ekey-ctl");
    command.args(["status", "--json", "--socket"]).arg(control);
    Status::of(&Program::run("ekey-ctl", command, scratch))
}

/// Kills the process when dropped, since no test may leave one behind.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGTERM);
    }
}
