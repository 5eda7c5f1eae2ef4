//! Our daemon as a test runs it: with its own configuration, its sockets in the scratch folder, and `ekey-ctl`.

use std::fmt::Write as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::await_until::{DEADLINE, await_until};
use crate::binaries;
use crate::program::{Finished, Program};
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};
use crate::status::Status;

/// The configuration of a daemon. By default it has no key, no output, and never touches the kernel.
#[derive(Debug, Clone, Default)]
pub struct DaemonPlan {
    keyring: String,
    keys: Vec<PathBuf>,
    file: Option<(PathBuf, Option<u64>)>,
    egd: bool,
    egd_lines: String,
    clone_safe: bool,
    whole_egd: Option<String>,
    listen: Vec<String>,
    kernel: Option<String>,
    pool: Option<u32>,
    control_tcp: Option<u16>,
    extra: String,
    program: Option<PathBuf>,
    user: Option<u32>,
    repeats_urandom: bool,
}

impl DaemonPlan {
    /// Runs another build of the daemon than the one under test.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// Runs it as this user and the group of the same number, without root's rights. Only root can.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user = Some(id);
        self
    }

    /// Runs it where `/dev/urandom` gives only zeros, as if it repeated after each start of the machine. Only root can.
    #[must_use]
    pub fn repeating_urandom(mut self) -> Self {
        self.repeats_urandom = true;
        self
    }

    /// Adds this key, and its line in the keyring.
    #[must_use]
    pub fn key(self, plan: &KeyPlan, key: &SoftwareKey) -> Self {
        let line = plan.keyring_line();
        self.unknown_key(key).keyring_line(&line)
    }

    /// Adds this key without a line in the keyring.
    #[must_use]
    pub fn unknown_key(self, key: &SoftwareKey) -> Self {
        self.path(&key.path)
    }

    /// Adds whatever is at this path in place of a key.
    #[must_use]
    pub fn path(mut self, path: &Path) -> Self {
        self.keys.push(path.to_owned());
        self
    }

    /// Adds a line to the keyring.
    #[must_use]
    pub fn keyring_line(mut self, line: &str) -> Self {
        self.keyring.push_str(line);
        self
    }

    /// Adds a file output, which stops after `blocks` blocks of 32 bytes, if given.
    #[must_use]
    pub fn file(mut self, path: &Path, blocks: Option<u64>) -> Self {
        self.file = Some((path.to_owned(), blocks));
        self
    }

    /// Adds an EGD server on a unix socket.
    #[must_use]
    pub fn egd(mut self) -> Self {
        self.egd = true;
        self
    }

    /// Adds an EGD server at this address, such as `tcp:127.0.0.1:8888`.
    #[must_use]
    pub fn listen(mut self, place: &str) -> Self {
        self.listen.push(place.to_owned());
        self
    }

    /// Adds lines to the section `[egd]`.
    #[must_use]
    pub fn egd_lines(mut self, lines: &str) -> Self {
        self.egd_lines.push_str(lines);
        self.egd_lines.push('\n');
        self
    }

    /// Mixes fresh bytes into those that clients get. By default clients get the keys' bytes as they are, also on a virtual machine, so
    /// that a test can compare them.
    #[must_use]
    pub fn clone_safe(mut self) -> Self {
        self.clone_safe = true;
        self
    }

    /// Replaces the section `[egd]` by this text, headline included.
    #[must_use]
    pub fn whole_egd(mut self, text: &str) -> Self {
        self.whole_egd = Some(text.to_owned());
        self
    }

    /// Enables the kernel output with these lines in its section, without the right to credit (CAP_SYS_ADMIN): a
    /// software key's bytes are not entropy.
    #[must_use]
    pub fn uncredited_kernel(mut self, lines: &str) -> Self {
        self.kernel = Some(lines.to_owned());
        self
    }

    /// Fetches from these EGD servers, with more lines for that section.
    #[must_use]
    pub fn fetch_from(self, servers: &[String], lines: &str) -> Self {
        self.extra(&format!("[egd-client]\nconnect = {servers:?}\n{lines}\n"))
    }

    /// Serves the control language read-only on this port of 127.0.0.1.
    #[must_use]
    pub fn control_tcp(mut self, port: u16) -> Self {
        self.control_tcp = Some(port);
        self
    }

    /// Sets the pool's size in bytes.
    #[must_use]
    pub fn pool(mut self, bytes: u32) -> Self {
        self.pool = Some(bytes);
        self
    }

    /// Adds lines at the end of the configuration.
    #[must_use]
    pub fn extra(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self
    }

    /// Writes configuration and keyring, starts the daemon, and waits until its sockets take clients.
    ///
    /// # Panics
    /// When `ekeyd` is not built, ends, or does not listen.
    #[must_use]
    pub fn start(&self, scratch: &Scratch) -> Daemon {
        let mut daemon = self.spawn(scratch);
        let mut sockets = vec![daemon.control.clone()];
        sockets.extend(self.egd.then(|| daemon.egd.clone()));
        for socket in sockets {
            let what = format!("ekeyd listening at {}", socket.display());
            daemon.program.await_while_running(&what, || UnixStream::connect(&socket).ok());
        }
        daemon
    }

    /// Writes configuration and keyring and starts the daemon without waiting.
    ///
    /// # Panics
    /// When `ekeyd` is not built.
    #[must_use]
    pub fn spawn(&self, scratch: &Scratch) -> Daemon {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let control = scratch.path("control.sock");
        let egd = scratch.path("egd.sock");
        let config = self.write(scratch, &control, &egd);
        let program = self.program.clone().unwrap_or_else(|| binaries::built("ekeyd"));
        let mut command = match self.kernel {
            None => Command::new(&program),
            Some(_) => without_sys_admin(&program),
        };
        if self.repeats_urandom {
            command = with_zeros_for_urandom(&command);
        }
        command.args(["run", "--config"]).arg(&config);
        if let Some(id) = self.user {
            command.uid(id).gid(id);
        }
        Daemon { program: Program::spawn(&format!("ekeyd-{number}"), command, scratch), config, control, egd }
    }

    fn write(&self, scratch: &Scratch, control: &Path, egd: &Path) -> PathBuf {
        let keyring = scratch.write("keyring", &self.keyring, 0o600);
        let own = self.egd.then(|| format!("unix:{}", egd.display()));
        let listen = own.iter().chain(&self.listen).collect::<Vec<_>>();
        let control_tcp = self.control_tcp.map(|port| format!("control-tcp = {port}\n")).unwrap_or_default();
        let mut text = format!(
            "keyring = {keyring:?}\nstate-dir = {:?}\ncontrol = {control:?}\n{control_tcp}\
             [keys]\ndiscover = false\npaths = {:?}\n\
             [kernel]\n{}\n",
            scratch.path("state"),
            self.keys,
            self.kernel.as_deref().unwrap_or("enabled = false"),
        );
        match &self.whole_egd {
            Some(egd) => text.push_str(egd),
            None => {
                let _ =
                    writeln!(text, "[egd]\nlisten = {listen:?}\nclone-safe = {}\n{}", self.clone_safe, self.egd_lines);
            }
        }
        text.push('\n');
        if let Some(bytes) = self.pool {
            let _ = writeln!(text, "pool-bytes = {bytes}");
        }
        if let Some((path, blocks)) = &self.file {
            let _ = writeln!(text, "[file]\npath = {path:?}");
            if let Some(blocks) = blocks {
                let _ = writeln!(text, "max-bytes = {}", blocks * 32);
            }
        }
        text.push_str(&self.extra);
        scratch.write("ekeyd.toml", &text, 0o644)
    }
}

/// Returns a command that runs `program` without CAP_SYS_ADMIN, even as root.
pub(crate) fn without_sys_admin(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]).arg(program);
    command
}

/// Returns `command` in a mount namespace of its own, in which `/dev/urandom` is `/dev/zero`.
fn with_zeros_for_urandom(command: &Command) -> Command {
    let script = "mount --bind /dev/zero /dev/urandom && exec \"$0\" \"$@\"";
    let mut alone = Command::new("unshare");
    alone.args(["--mount", "sh", "-c", script]).arg(command.get_program()).args(command.get_args());
    alone
}

/// A running `ekeyd`. Dropping it kills it.
pub struct Daemon {
    /// The program itself.
    pub program: Program,
    /// The configuration that it was started with.
    pub config: PathBuf,
    /// Its control socket.
    pub control: PathBuf,
    /// Its EGD socket, if the plan has one.
    pub egd: PathBuf,
}

impl Daemon {
    /// Runs `ekey-ctl --socket … ARGUMENTS` with it, to its end. A verb that changes the keyring gets the daemon's configuration: root
    /// does not take the daemon's word.
    ///
    /// # Panics
    /// When `ekey-ctl` is not built or does not end.
    #[must_use]
    pub fn ctl(&self, scratch: &Scratch, arguments: &[&str]) -> Finished {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let number = ASKED.fetch_add(1, Ordering::Relaxed);
        let mut command: Command = binaries::command("ekey-ctl");
        command.args(arguments).arg("--socket").arg(&self.control);
        if matches!(arguments, ["rekey", ..] | ["keyring", "add" | "remove" | "list", ..]) {
            command.arg("--config").arg(&self.config);
        }
        Program::run(&format!("ekey-ctl-{number}"), command, scratch)
    }

    /// Returns what `ekey-ctl status --json` prints.
    ///
    /// # Panics
    /// When that is not JSON.
    #[must_use]
    pub fn status(&self, scratch: &Scratch) -> Status {
        // On a busy machine the daemon may take longer than the tool waits for an answer.
        let finished = await_until("a status", || {
            let finished = self.ctl(scratch, &["status", "--json"]);
            (!finished.stderr.contains("no answer from")).then_some(finished)
        });
        Status::of(&finished)
    }

    /// Waits until the first key's state is `state`, and returns that status.
    ///
    /// # Panics
    /// When the daemon ends first, or at the deadline; then the last status is shown.
    pub fn await_state(&mut self, scratch: &Scratch, state: &str) -> Status {
        let started = Instant::now();
        loop {
            if let Some(ended) = self.program.ended() {
                panic!("ekeyd ended ({ended}) before the first key was {state}");
            }
            let status = self.status(scratch);
            if status.keys() > 0 && status.key(0).state() == state {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "after {DEADLINE:?} the first key is not {state}: {status}");
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a file has at least `blocks` blocks.
    ///
    /// # Panics
    /// When the daemon ends first, or at the deadline.
    pub fn await_blocks(&mut self, file: &Path, blocks: u64) {
        self.program.await_while_running(&format!("{blocks} blocks in {}", file.display()), || {
            (crate::blocks::blocks_in(file) >= blocks).then_some(())
        });
    }
}
