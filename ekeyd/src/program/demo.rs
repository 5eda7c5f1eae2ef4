//! `ekeyd demo`: the whole daemon on a software key behind a real pseudo terminal, to try it without a key.
//!
//! A software key's data is **not random**, so the kernel gets none of it, and every status says so.

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

use ekey_control::{DEFAULT_SOCKET, Status};
use ekey_keyring::{KeyringEdit, KeyringError};
use ekey_sim::{Device, Fault, Pty, Records, Seed, Setup, SimError, StopHandle};
use nix::unistd::geteuid;

use crate::config::{Config, Http, KeyPath, Listen, RunAs};
use crate::confine;
use crate::daemon::{Daemon, DaemonError, Observer};
use crate::program::logs;
use crate::program::terminal::{complain, say};

const REFRESH: Duration = Duration::from_secs(1);

/// The options of `ekeyd demo`.
pub(crate) struct Options {
    /// Folder for the sockets; default `$XDG_RUNTIME_DIR/ekeyd-demo`, else `/tmp/ekeyd-demo-UID`.
    pub dir: Option<PathBuf>,
    /// Frames of 32 bytes per second, 0 for no limit; default a real key's rate.
    pub rate: Option<u32>,
    /// Address of the page; default 127.0.0.1:9178, or another port if that is in use.
    pub http: Option<SocketAddr>,
    /// Faults of the key.
    pub faults: Vec<Fault>,
}

/// Says why the demonstration cannot run.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// The folder cannot be created or used (host).
    #[error("{}: cannot use this folder: {source}; name another with --dir", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    /// Other users can write to the folder (host).
    #[error("{}: other users could replace the sockets in this folder; name one that only you can write to with --dir", .0.display())]
    NotOurs(PathBuf),
    /// Another demonstration uses the folder (host).
    #[error("{}: a demonstration is already running here; stop it, or name another folder with --dir", .0.display())]
    Running(PathBuf),
    /// The software key cannot start.
    #[error(transparent)]
    Key(#[from] SimError),
    /// The keyring for its long-term key cannot be written.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The daemon cannot run.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Parses `NAME:EVERY`, or several separated by commas. The error names the wrong one.
pub(crate) fn faults(list: &OsStr) -> Result<Vec<Fault>, String> {
    let faults = list.to_string_lossy();
    faults.split(',').map(|fault| fault.parse().map_err(|error| format!("--fault: {error}"))).collect()
}

/// Runs the demonstration until a signal or `ekey-ctl shutdown` ends it. Returns the exit code.
pub(crate) fn run(options: Options) -> ExitCode {
    let logs = logs::start(tracing::Level::WARN);
    match show(options, &logs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ekeyd demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn show(options: Options, logs: &logs::Logs) -> Result<(), DemoError> {
    confine::from_the_start();
    // ekey-ctl finds a demonstration in the default folder by itself, unless there is a daemon.
    let is_found = options.dir.is_none() && !Path::new(DEFAULT_SOCKET).exists();
    let dir = own_folder(options.dir.unwrap_or_else(default_folder))?;
    if UnixStream::connect(dir.join("control.sock")).is_ok() {
        return Err(DemoError::Running(dir));
    }
    let rate = options.rate.unwrap_or(ekey_sim::DEFAULT_RATE);
    let setup = Setup { rate, faults: options.faults, ..Setup::from_seed(Seed::from_system()?) };
    let keyring_path = dir.join("keyring");
    // An earlier demonstration may have left its keyring.
    let _ = fs::remove_file(&keyring_path);
    let mut keyring = KeyringEdit::begin(&keyring_path)?;
    keyring.set(setup.serial, setup.long_term_key.duplicate());
    keyring.save()?;

    let mut pty = Pty::open(&dir.join("key"))?;
    let config = config(&dir, keyring_path, options.http.unwrap_or_else(default_page));
    // The daemon blocks the signals before the key's thread starts, so that none goes to that thread.
    let daemon = Daemon::start(config, None, true, || logs.start_writer())?;
    let stop = StopHandle::new()?;
    let stop_key = stop.clone();
    let key = thread::spawn(move || ekey_sim::run(&mut Device::new(setup), &mut pty, &mut Records::none(), &stop_key));
    announce((!is_found).then_some(&dir), daemon.http_address());
    let ended = daemon.run(Some(Observer { every: REFRESH, show: Box::new(Screen::new().show()) }));
    stop.stop();
    if let Ok(Err(error)) = key.join() {
        return Err(error.into());
    }
    Ok(ended?)
}

fn config(dir: &Path, keyring: PathBuf, listen: SocketAddr) -> Config {
    let (state_dir, control) = (Some(dir.to_owned()), vec![dir.join("control.sock")]);
    let mut config = Config { keyring, state_dir, control, ..Config::default() };
    config.keys.discover = false;
    config.keys.paths = vec![KeyPath { path: dir.join("key"), serial: None }];
    config.kernel.enabled = false;
    // The folder belongs to the user that started it, so the daemon must not become another.
    config.sandbox.user = RunAs::Named("root".to_owned());
    config.egd.listen = vec![Listen::unix(dir.join("egd.sock"))];
    config.http = Some(Http { listen, names: Vec::new() });
    config
}

/// Returns the default address of the page, with port 0 if the default port is in use.
fn default_page() -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 9178));
    if TcpListener::bind(default).is_ok() { default } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
}

fn default_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if Path::new(&dir).is_absolute() => Path::new(&dir).join("ekeyd-demo"),
        _ => PathBuf::from(format!("/tmp/ekeyd-demo-{}", geteuid())),
    }
}

/// Creates the folder, or checks that only this user can write to it: in `/tmp` another user may have created it.
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

/// Says how to watch the demonstration. `dir` is its folder, if ekey-ctl does not find it by itself.
fn announce(dir: Option<&PathBuf>, page: Option<SocketAddr>) {
    let socket = dir.map_or_else(String::new, |dir| format!(" --socket {}", dir.join("control.sock").display()));
    say("This is a SOFTWARE key: its data is NOT RANDOM, so never use it for secrets.");
    say("Stop it with ^C. Watch it from another terminal:");
    // Cargo sets this variable in the programs that it runs.
    let tool = std::env::var_os("CARGO").map_or("ekey-ctl", |_| "cargo run --release -p ekey-ctl --");
    say(format_args!("  {tool} status{socket}"));
    if let Some(page) = page {
        say(format_args!("  or in a browser: http://{page}/"));
    }
    say("");
}

/// Prints two lines each second: the key's state, and the sockets' paths.
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
            // An error means a closed stdout. The demonstration continues for the clients of its sockets.
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
