//! `ekeyd demo`: the whole daemon on a key in software behind a real pseudo terminal, for whoever has no key.
//!
//! What a software key gives is **not random**, so the kernel gets nothing of it, and every status says so.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ekey_control::Status;
use ekey_keyring::{KeyringEdit, KeyringError};
use ekey_sim::{Device, Fault, Pty, Records, Seed, Setup, SimError, StopHandle};
use nix::unistd::geteuid;

use crate::config::{Config, Http, KeyPath, Listen, RunAs};
use crate::confine;
use crate::daemon::{Daemon, DaemonError, Observer};
use crate::program::logs;
use crate::program::terminal::{complain, say};

const EVERY: Duration = Duration::from_secs(1);

/// The demonstration's command line.
pub(crate) struct Options {
    /// Folder for the sockets; else `$XDG_RUNTIME_DIR/ekeyd-demo`, else `/tmp/ekeyd-demo-UID`.
    pub dir: Option<PathBuf>,
    /// Frames of 32 bytes a second, 0 for as fast as they are taken; else a real key's rate.
    pub rate: Option<u32>,
    /// Where to show the page; else a port of this machine.
    pub http: Option<SocketAddr>,
    /// What goes wrong with the key now and then.
    pub faults: Vec<Fault>,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// The folder cannot be made or used (host).
    #[error("{}: cannot use this folder: {source}; name another with --dir", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    /// The folder is somebody else's (host).
    #[error("{}: this folder is not your own alone, so others could put their sockets there; name another with --dir", .0.display())]
    NotOurs(PathBuf),
    /// There is one already (host).
    #[error("{}: a demonstration is running here already; end it, or name another folder with --dir", .0.display())]
    Running(PathBuf),
    /// The software key cannot be plugged in.
    #[error(transparent)]
    Key(#[from] SimError),
    /// Its long-term key cannot be handed to the daemon.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The daemon cannot run.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Reads `NAME:EVERY`, or several with commas between them. The error names the one that is wrong.
pub(crate) fn faults(list: &OsStr) -> Result<Vec<Fault>, String> {
    let faults = list.to_string_lossy();
    faults.split(',').map(|fault| fault.parse().map_err(|error| format!("--fault: {error}"))).collect()
}

/// Runs the demonstration until a signal or `ekey-ctl shutdown` ends it.
pub(crate) fn run(options: Options) -> ExitCode {
    logs::start(tracing::Level::WARN);
    match show(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ekeyd demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn show(options: Options) -> Result<(), DemoError> {
    confine::from_the_start();
    let dir = own_folder(options.dir.unwrap_or_else(usual_folder))?;
    if UnixStream::connect(dir.join("control.sock")).is_ok() {
        return Err(DemoError::Running(dir));
    }
    let rate = options.rate.unwrap_or(ekey_sim::DEFAULT_RATE);
    let setup = Setup { rate, faults: options.faults, ..Setup::from_seed(Seed::from_system()?) };
    let keyring_path = dir.join("keyring");
    // The key of an earlier demonstration is no more.
    let _ = fs::remove_file(&keyring_path);
    let mut keyring = KeyringEdit::begin(&keyring_path)?;
    keyring.set(setup.serial, setup.long_term_key.duplicate());
    keyring.save()?;

    let mut pty = Pty::open(&dir.join("key"))?;
    let config = config(&dir, keyring_path, options.http.unwrap_or_else(usual_page));
    // The daemon takes over the signals before the key's thread is there to get any.
    let daemon = Daemon::start(config, None, true)?;
    let stop = StopHandle::new()?;
    let stop_key = stop.clone();
    let key = thread::spawn(move || ekey_sim::run(&mut Device::new(setup), &mut pty, &mut Records::none(), &stop_key));
    announce(&dir, daemon.http_address());
    let ended = daemon.run(Some(Observer { every: EVERY, show: Box::new(Screen::new().show()) }));
    stop.stop();
    if let Ok(Err(error)) = key.join() {
        return Err(error.into());
    }
    Ok(ended?)
}

fn config(dir: &Path, keyring: PathBuf, listen: SocketAddr) -> Config {
    let usual = Config::default();
    let mut config = Config { keyring, control: dir.join("control.sock"), ..usual };
    config.keys.discover = false;
    config.keys.paths = vec![KeyPath { path: dir.join("key"), serial: None }];
    config.kernel.enabled = false;
    // Its folder is of whoever started it.
    config.sandbox.user = RunAs::Named("root".to_owned());
    config.egd.listen = vec![Listen::unix(dir.join("egd.sock"))];
    config.http = Some(Http { listen });
    config
}

/// The usual port, or any where that one is taken.
fn usual_page() -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 9178));
    if TcpListener::bind(usual).is_ok() { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
}

fn usual_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if Path::new(&dir).is_absolute() => Path::new(&dir).join("ekeyd-demo"),
        _ => PathBuf::from(format!("/tmp/ekeyd-demo-{}", geteuid())),
    }
}

/// Makes the folder, or sees to it that the one that is there belongs to this user alone: `/tmp` is everybody's.
fn own_folder(dir: PathBuf) -> Result<PathBuf, DemoError> {
    let failed = |source| DemoError::Folder { dir: dir.clone(), source };
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        outcome => outcome.map_err(failed)?,
    }
    let found = fs::symlink_metadata(&dir).map_err(failed)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(DemoError::NotOurs(dir));
    }
    std::path::absolute(&dir).map_err(failed)
}

fn announce(dir: &Path, page: Option<SocketAddr>) {
    let control = dir.join("control.sock");
    say("This is a key in SOFTWARE: its data is NOT RANDOM, use it for nothing but looking.");
    say("Look at it from another terminal, and end it with ^C:");
    // Cargo says of itself to what it runs that it was it.
    let tool = std::env::var_os("CARGO").map_or("ekey-ctl", |_| "cargo run --release -p ekey-ctl --");
    say(format_args!("  {tool} status --socket {}", control.display()));
    if let Some(page) = page {
        say(format_args!("  or with a browser: http://{page}/"));
    }
    say("");
}

/// Two lines a second: how the key is doing, and where the sockets are.
struct Screen {
    repaints: bool,
    painted: bool,
}

impl Screen {
    fn new() -> Self {
        Self { repaints: io::stdout().is_terminal(), painted: false }
    }

    fn show(mut self) -> impl FnMut(&Status) {
        move |status| {
            let mut out = io::stdout().lock();
            let up = if self.repaints && self.painted { "\x1b[2A" } else { "" };
            let clear = if self.repaints { "\x1b[K" } else { "" };
            let (key, sockets) = lines(status);
            // Nobody may be reading: the demonstration goes on for those who use its sockets.
            let _ = writeln!(out, "{up}{key}{clear}\n{sockets}{clear}").and_then(|()| out.flush());
            self.painted = true;
        }
    }
}

fn lines(status: &Status) -> (String, String) {
    let egd = status.egd.first().map_or("off", |egd| &egd.listen);
    let sockets = format!("    egd {egd}   control {}", status.control);
    let Some(key) = status.keys.first() else { return ("no key".to_owned(), sockets) };
    let rejected = key.frames.dropped() + key.frames.framing_errors;
    let key = format!(
        "{}   {} bytes verified   {:.0} bytes/s   {rejected} frames rejected   NOT RANDOM",
        key.state.short_word(),
        key.entropy_bytes,
        key.rate_bytes_per_s,
    );
    (key, sockets)
}
