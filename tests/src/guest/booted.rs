//! A running guest: its console, its commands, its USB keys, its end.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::architecture::Architecture;
use super::image;
use super::machine::{self, Files};
use super::plan::Guest;
use super::qmp::Qmp;
use super::room::Room;
use crate::await_until::DEADLINE;
use crate::document::Step;
use crate::program::Program;
use crate::scratch::Scratch;

/// A running guest. Dropping it kills it; when the test fails, it prints the whole console.
pub struct Booted {
    qemu: Program,
    architecture: Architecture,
    agent: BufReader<UnixStream>,
    qmp: Qmp,
    calls: u32,
    files: Files,
    // Dropped after QEMU, which uses it.
    _room: Room,
    // Dropped last: the others use what is in it.
    _scratch: Scratch,
}

/// The output of a command in the guest, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output and error.
    pub text: String,
}

impl Booted {
    pub(super) fn start(guest: &Guest) -> Self {
        let room = Room::take(guest.memory_mib);
        let scratch = Scratch::make();
        let files = Files::below(&scratch);
        fs::create_dir_all(files.share.join(".calls")).expect("a folder can be made in the scratch folder");
        fs::write(&files.console, "").expect("a file can be made in the scratch folder");
        image::write(guest, &files.image);

        let listen = |path| UnixListener::bind(path).expect("a socket can be made in the scratch folder");
        let (agent, qmp) = (listen(&files.agent), listen(&files.qmp));
        let mut qemu = Program::spawn("qemu", machine::command(guest, &files), &scratch);
        let agent = BufReader::new(accepted(&agent, &mut qemu));
        let qmp = Qmp::greet(accepted(&qmp, &mut qemu));
        // QEMU answers its monitor only once the machine is made and the image is in its memory.
        fs::remove_file(&files.image).expect("the image is there");
        let mut booted = Self {
            qemu,
            architecture: guest.architecture,
            agent,
            qmp,
            calls: 0,
            files,
            _room: room,
            _scratch: scratch,
        };
        if guest.script.is_none() {
            let word = booted.agent_line("the guest to be up");
            assert_eq!(word, "ready", "the guest's agent says something else at first");
            if guest.systemd {
                let said = booted.sh("systemctl is-system-running --wait || systemctl --failed");
                assert_eq!(said.text.trim(), "running", "systemd is not content");
            }
        }
        booted
    }

    /// Returns the folder that the guest has as `/share`. Both sides see each other's writes at once, byte for byte,
    /// but not each other's unix sockets.
    #[must_use]
    pub fn share(&self) -> &Path {
        &self.files.share
    }

    /// Returns the path on the host of a file that the guest has in `/share`.
    #[must_use]
    pub fn shared(&self, name: &str) -> PathBuf {
        self.files.share.join(name)
    }

    /// Returns the console's text so far, kernel messages included.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.files.console).unwrap_or_default()).replace("\r\n", "\n")
    }

    /// Waits for a whole line on the console that contains `pattern`, and returns it; an earlier line counts.
    ///
    /// # Panics
    /// When the guest ends first, or at the deadline.
    pub fn await_line(&mut self, pattern: &str) -> String {
        let console = self.files.console.clone();
        self.qemu.await_while_running(&format!("{pattern:?} on the guest's console"), || {
            let bytes = fs::read(&console).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            whole.lines().find(|line| line.contains(pattern)).map(|line| line.trim_end().to_owned())
        })
    }

    /// Runs a shell command in the guest as root, and waits for its end. Background processes (`&`) continue; they must
    /// write to a file, such as `/share/daemon.log`, which the test can read while it grows.
    ///
    /// # Panics
    /// When it has not ended by the deadline, or the guest has.
    pub fn sh(&mut self, command: &str) -> Said {
        self.calls += 1;
        let call = self.calls;
        let calls = self.files.share.join(".calls");
        fs::write(calls.join(format!("{call}.sh")), format!("{command}\n")).expect("the shared folder can be written");
        let output = calls.join(format!("{call}.out"));
        writeln!(self.agent.get_mut(), "{call}").unwrap_or_else(|error| panic!("the guest is gone: {error}"));
        let answer = self.agent_line(&format!("`{command}` to end in the guest"));
        let code = answer.strip_prefix(&format!("{call} ")).and_then(|code| code.parse().ok());
        let code = code.unwrap_or_else(|| panic!("the guest's agent answers {answer:?} to call {call}"));
        let text = fs::read(&output).expect("each call leaves its output behind");
        Said { code, text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// Runs a shell command that must succeed, and returns its output.
    ///
    /// # Panics
    /// When its exit code is not 0, and as [`Booted::sh`] does.
    pub fn check(&mut self, command: &str) -> String {
        let said = self.sh(command);
        assert_eq!(said.code, 0, "`{command}` failed in the guest: {}", said.text);
        said.text
    }

    /// Runs a shell command again and again until it succeeds, and returns its last output.
    ///
    /// # Panics
    /// When it does not succeed by the deadline, with its last output.
    pub fn await_sh(&mut self, command: &str) -> String {
        let started = Instant::now();
        loop {
            let said = self.sh(command);
            if said.code == 0 {
                return said.text;
            }
            assert!(started.elapsed() < DEADLINE, "`{command}` still fails after {DEADLINE:?}: {}", said.text);
        }
    }

    /// Types the steps of a document, one after the other, and returns what they print: those for root in `/root`, the
    /// others in `/tmp` as `alice`, whom the caller has made. Each must succeed. What asks the daemon or its page may
    /// be early, so that is repeated until it succeeds.
    ///
    /// # Panics
    /// When a step fails.
    pub fn follow(&mut self, steps: &[Step]) -> String {
        let mut said = String::new();
        for Step { root, command } in steps {
            let folder = if *root { "/root" } else { "/tmp" };
            let typed = format!("cd {folder} && {{ {command}\n}}").replace('\'', "'\\''");
            let user = if *root { "" } else { "setpriv --reuid=alice --regid=alice --init-groups " };
            let typed = format!("{user}sh -c '{typed}'");
            let may_be_early = ["ekey-ctl ", "ekeydctl ", "wget "].iter().any(|start| command.starts_with(start));
            said += &if may_be_early { self.await_sh(&typed) } else { self.check(&typed) };
        }
        said
    }

    /// Unplugs the USB key `id`; QEMU hangs up on its server. A key whose server has ended is gone from the guest but
    /// keeps its id until it is unplugged.
    ///
    /// # Panics
    /// When there is no such key, or QEMU keeps it.
    pub fn unplug(&mut self, id: &str) {
        self.qmp.run("device_del", &json!({ "id": id }));
        self.qmp.await_event("DEVICE_DELETED", |data| data["device"] == id);
    }

    /// Plugs in a USB key that speaks the usb-redir protocol as a server on `socket`.
    ///
    /// # Panics
    /// When no server listens, or a key `id` exists already.
    pub fn plug(&mut self, id: &str, socket: &Path) {
        let chardev = format!("{id}-socket");
        let address = json!({ "type": "unix", "data": { "path": socket } });
        let backend = json!({ "type": "socket", "data": { "addr": address, "server": false } });
        self.qmp.run("chardev-add", &json!({ "id": chardev, "backend": backend }));
        let device = json!({ "driver": "usb-redir", "id": id, "chardev": chardev, "bus": "usb.0" });
        self.qmp.run("device_add", &device);
    }

    /// Returns QEMU's monitor, for what has no method here.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// Waits until the guest has ended by itself, and returns the exit code of its script.
    ///
    /// # Panics
    /// When it still runs at the deadline, or ended without choosing a code (a kernel panic, a halt).
    pub fn wait(mut self) -> i32 {
        let code = self.qemu.wait().code();
        let chosen = self.architecture.chosen(code, &self.files.share);
        chosen.unwrap_or_else(|| panic!("the guest ended without an exit code of its own, QEMU with {code:?}"))
    }

    /// Ends the guest in good order and waits for it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn power_off(mut self) {
        self.calls += 1;
        let script = self.files.share.join(format!(".calls/{}.sh", self.calls));
        fs::write(script, "/guest/end 0\n").expect("the shared folder can be written");
        writeln!(self.agent.get_mut(), "{}", self.calls).unwrap_or_else(|error| panic!("the guest is gone: {error}"));
        let code = self.wait();
        assert_eq!(code, 0, "the guest's exit code");
    }

    /// Returns the agent's next line.
    fn agent_line(&mut self, what: &str) -> String {
        let mut line = Vec::new();
        let pause = Some(Duration::from_millis(50));
        self.agent.get_ref().set_read_timeout(pause).expect("a timeout above zero can be set");
        let agent = &mut self.agent;
        self.qemu.await_while_running(what, || match agent.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => Some(()),
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the guest ended while the test waited for {what}: {error}")
            }
            _ => None,
        });
        String::from_utf8_lossy(&line).trim().to_owned()
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("-- the guest's console:\n{}", self.console());
            let last = self.files.share.join(format!(".calls/{}.out", self.calls));
            eprintln!("-- output of its last command:\n{}", fs::read_to_string(last).unwrap_or_default());
        }
    }
}

fn accepted(listener: &UnixListener, qemu: &mut Program) -> UnixStream {
    listener.set_nonblocking(true).expect("a socket can be set not to block");
    let stream = qemu.await_while_running("QEMU to connect", || listener.accept().ok());
    let (stream, _address) = stream;
    stream.set_nonblocking(false).expect("a socket can be set to block");
    stream
}
