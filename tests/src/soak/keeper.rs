//! Keeps the soak's daemon: its configuration, keyring and wall clock as the plan wants them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::chance::Chance;
use super::crowd::Door;
use super::keys::{SLOTS, Slot};
use super::plan::COMES_AND_GOES;
use crate::await_until::DEADLINE;
use crate::binaries::{built, target_folder};
use crate::control::{ControlClient, Reply};
use crate::daemon::without_sys_admin;
use crate::ports::free_port;
use crate::program::{Finished, Program};
use crate::scratch::Scratch;
use crate::status::Status;

/// How long the daemon may take for what is usually instant, on a busy machine.
pub(super) const PATIENCE: Duration = DEADLINE;

/// The daemon and everything that it reads.
pub(super) struct Keeper {
    pub(super) daemon: Program,
    /// How many daemons ran before this one.
    pub(super) lives: u32,
    pub(super) output: PathBuf,
    /// Unix socket and port for polite clients, and the same for rude ones, in the order of the listeners.
    pub(super) doors: [Door; 4],
    control: PathBuf,
    key_paths: Vec<PathBuf>,
    key_lines: Vec<String>,
    chance: Chance,
    limits: String,
    other_limits: String,
    /// Whether the configuration has the key that comes and goes.
    pub(super) is_configured: bool,
    /// Whether the keyring has its long-term key.
    pub(super) is_in_keyring: bool,
    clock: Option<Clock>,
}

/// The library that gives a program another time.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Keeper {
    /// Writes the files and starts the first daemon.
    pub(super) fn start(scratch: &Scratch, slots: &[Slot; SLOTS], seed: u64) -> Self {
        let ports = [(); 2].map(|()| free_port());
        let doors = [
            Door::Unix(scratch.path("egd.sock")),
            Door::Tcp(ports[0]),
            Door::Unix(scratch.path("rude.sock")),
            Door::Tcp(ports[1]),
        ];
        let clock = faketime().map(|library| Clock { library, file: scratch.write("clock", "+0s\n", 0o644) });
        let mut chance = Chance::new(seed, 2);
        let limits = limits(&mut chance);
        let mut keeper = Self {
            daemon: Program::spawn("nobody", std::process::Command::new("true"), scratch),
            lives: 0,
            output: scratch.path("entropy"),
            doors,
            control: scratch.path("control.sock"),
            key_paths: slots.iter().map(|slot| slot.path(scratch)).collect(),
            key_lines: slots.iter().map(Slot::keyring_line).collect(),
            chance,
            other_limits: limits.clone(),
            limits,
            is_configured: true,
            is_in_keyring: true,
            clock,
        };
        keeper.write(scratch);
        keeper.spawn(scratch);
        keeper
    }

    /// Returns whether the daemon's wall clock can be set.
    pub(super) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Starts a daemon with other limits than the one before, and waits until it answers.
    pub(super) fn spawn(&mut self, scratch: &Scratch) {
        self.limits = limits(&mut self.chance);
        self.other_limits.clone_from(&self.limits);
        self.write(scratch);
        let mut command = without_sys_admin(&built("ekeyd"));
        command.args(["run", "--config"]).arg(scratch.path("ekeyd.toml"));
        if let Some(clock) = &self.clock {
            command
                .env("LD_PRELOAD", &clock.library)
                .env("FAKETIME_TIMESTAMP_FILE", &clock.file)
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("DONT_FAKE_MONOTONIC", "1")
                .env("NO_FAKE_STAT", "1");
        }
        self.daemon = Program::spawn(&format!("ekeyd-{}", self.lives), command, scratch);
        self.lives += 1;
        let control = self.control.clone();
        self.daemon.await_while_running("the control socket", || ControlClient::connect(&control).ok());
    }

    /// Ends the daemon by SIGTERM.
    ///
    /// # Errors
    /// When its exit code is not 0.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        self.daemon.signal(Signal::SIGTERM);
        let ended = self.daemon.wait();
        if ended.code() == Some(0) { Ok(()) } else { Err(format!("after SIGTERM the daemon ended with {ended}")) }
    }

    /// Writes configuration and keyring in their current state, and makes the daemon read them.
    pub(super) fn reload(&mut self, scratch: &Scratch) {
        self.write(scratch);
        self.daemon.signal(Signal::SIGHUP);
    }

    /// Adds the key that comes and goes to the configuration or removes it, and changes the limits.
    pub(super) fn toggle_key(&mut self, scratch: &Scratch) {
        self.is_configured = !self.is_configured;
        self.other_limits = limits(&mut self.chance);
        self.reload(scratch);
    }

    /// Adds its long-term key to the keyring, or removes it.
    pub(super) fn toggle_keyring(&mut self, scratch: &Scratch) {
        self.is_in_keyring = !self.is_in_keyring;
        self.reload(scratch);
    }

    /// Makes the daemon read a configuration with a mistake.
    pub(super) fn mistake(&self, scratch: &Scratch) {
        replace(scratch, "ekeyd.toml", "[egd]\npool-bytes = \"much\"\n[nothing]\n", 0o644);
        self.daemon.signal(Signal::SIGHUP);
    }

    /// Sets the daemon's wall clock to `away` seconds from the right time.
    pub(super) fn set_clock(&self, away: i64) {
        if let Some(clock) = &self.clock {
            fs::write(&clock.file, format!("{away:+}s\n")).expect("a scratch file can be written");
        }
    }

    /// Sends one statement to the control socket.
    ///
    /// # Errors
    /// The failure of the connection.
    pub(super) fn say(&self, statement: &str) -> std::io::Result<Reply> {
        ControlClient::connect(&self.control)?.say(statement)
    }

    /// Asks for the status until it comes.
    ///
    /// # Errors
    /// When it does not come for long.
    pub(super) fn status(&self) -> Result<Status, String> {
        let started = std::time::Instant::now();
        loop {
            let said = match self.say("Status()") {
                Ok(Reply { lines, verdict }) if lines.len() == 1 && verdict.starts_with("OK") => {
                    let stdout = lines.into_iter().collect();
                    return Ok(Status::of(&Finished { code: None, stdout, stderr: String::new() }));
                }
                Ok(reply) => format!("{reply:?}"),
                Err(error) => error.to_string(),
            };
            if started.elapsed() > PATIENCE {
                return Err(format!("no status for {} s: {said}", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn write(&self, scratch: &Scratch) {
        let listed = |is_there: bool| move |slot: &usize| is_there || *slot != COMES_AND_GOES;
        let lines = (0..SLOTS).filter(listed(self.is_in_keyring)).map(|slot| self.key_lines[slot].as_str());
        replace(scratch, "keyring", &lines.collect::<String>(), 0o600);
        let paths = (0..SLOTS).filter(listed(self.is_configured)).map(|slot| &self.key_paths[slot]).collect::<Vec<_>>();
        let listen = self.doors.iter().map(|door| match door {
            Door::Unix(path) => format!("unix:{}", path.display()),
            Door::Tcp(port) => format!("tcp:127.0.0.1:{port}"),
        });
        let mut text = format!("keyring = {:?}\ncontrol = {:?}\n", scratch.path("keyring"), self.control);
        let _ = write!(
            text,
            "[keys]\ndiscover = false\npaths = {paths:?}\n[kernel]\nenabled = true\ninterval-s = 1\n\
             [file]\npath = {:?}\n[egd]\nclone-safe = false\nlisten = {:?}\n{}",
            self.output,
            listen.collect::<Vec<_>>(),
            self.other_limits,
        );
        replace(scratch, "ekeyd.toml", &text, 0o644);
    }
}

/// Returns limits that divide a pool of whole cells into whole cells.
fn limits(chance: &mut Chance) -> String {
    format!(
        "pool-bytes = {}\nmax-clients = {}\nshare-percent = {}\nidle-timeout-s = {}\n",
        chance.one_of(&[16_384, 65_536, 262_144]),
        chance.between(1000, 5000),
        chance.between(70, 95),
        chance.one_of(&[0, 60, 600])
    )
}

/// Replaces a file atomically, so that a reader sees the old one or the new one.
fn replace(scratch: &Scratch, name: &str, content: &str, mode: u32) {
    let new = scratch.write(&format!("{name}.new"), content, mode);
    fs::rename(new, scratch.path(name)).expect("a scratch file can be renamed");
}

/// Returns Debian's libfaketime, if tests/run has unpacked it.
fn faketime() -> Option<PathBuf> {
    let libraries = target_folder().join("peers/root/usr/lib");
    let find = |folder: &Path| {
        let library = folder.join("faketime/libfaketime.so.1");
        library.is_file().then_some(library)
    };
    fs::read_dir(libraries).ok()?.flatten().find_map(|entry| find(&entry.path()))
}
