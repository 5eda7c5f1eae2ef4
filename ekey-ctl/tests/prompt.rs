//! Types a secret at a terminal: it stays hidden, and the terminal's echo comes back in any case.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use tempfile::TempDir;

const SERIAL: &str = "A/BvBlg3OTBJ+RFD";
const KEY: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
const DEADLINE: Duration = Duration::from_secs(600);

/// `ekey-ctl keyring add` at its prompt on a terminal.
struct Asking {
    child: Child,
    terminal: File,
    slave: OwnedFd,
    folder: TempDir,
}

impl Asking {
    /// Starts it, and waits until the terminal's echo is off.
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let pty = openpty(None, None).expect("a pseudo terminal");
        // A background job of a script ignores the interrupt, and its children inherit that: reset it.
        let child = Command::new("env")
            .arg("--default-signal=INT,TERM")
            .arg(env!("CARGO_BIN_EXE_ekey-ctl"))
            .args(["keyring", "add", SERIAL, "--keyring"])
            .arg(folder.path().join("keyring"))
            .arg("--socket")
            .arg(folder.path().join("no-daemon.sock"))
            .stdin(pty.slave.try_clone().expect("a descriptor"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("to run ekey-ctl");
        let asking = Self { child, terminal: File::from(pty.master), slave: pty.slave, folder };
        asking.await_echo(false);
        asking
    }

    fn await_echo(&self, expected: bool) {
        let deadline = Instant::now() + DEADLINE;
        let echoes = || tcgetattr(&self.slave).expect("a terminal").local_flags.contains(LocalFlags::ECHO);
        while echoes() != expected {
            assert!(Instant::now() < deadline, "the terminal's echo is {}, expected is {expected}", !expected);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> (Option<i32>, String, String, TempDir) {
        let code = self.child.wait().expect("an own child").code();
        let mut words = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut words).expect("UTF-8");
        self.child.stderr.take().expect("piped").read_to_string(&mut words).expect("UTF-8");
        self.await_echo(true);
        // Read all that the terminal showed. It ends with the error of a terminal that no program has open.
        drop(self.slave);
        let mut shown = Vec::new();
        let _ = self.terminal.read_to_end(&mut shown);
        (code, words, String::from_utf8_lossy(&shown).into_owned(), self.folder)
    }
}

#[test]
fn a_typed_key_is_accepted_and_never_shown() {
    let mut asking = Asking::start();
    asking.terminal.write_all(format!("{KEY}\n").as_bytes()).expect("a terminal");
    let (code, words, shown, folder) = asking.end();
    assert_eq!(code, Some(0), "{words}");
    let keyring = fs::read_to_string(folder.path().join("keyring")).expect("it was made");
    assert!(keyring.ends_with(&format!("{SERIAL} {KEY}\n")), "the keyring has {} bytes", keyring.len());
    assert!(!shown.contains(&KEY[..8]) && !words.contains(&KEY[..8]), "shown: {shown:?}, said: {words}");
}

#[test]
fn a_signal_during_the_prompt_restores_the_echo() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut asking = Asking::start();
        asking.terminal.write_all(b"half a k").expect("a terminal");
        kill(Pid::from_raw(i32::try_from(asking.child.id()).expect("it fits")), signal).expect("it runs");
        let (code, words, _, folder) = asking.end();
        assert_eq!(code, None, "{signal} ended it, and it said {words}");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
    }
}
