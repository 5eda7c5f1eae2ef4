//! The vendor's own programs (Debian packages `ekeyd`, `lua5.1` and what they load), as `tests/run` unpacked them.
//!
//! The original daemon's demands on its configuration, seen by running it: a key that cannot be opened during startup
//! ends the daemon (exit 1), so the test plugs the key in first, and needs no pause after that; the output file must
//! exist; the daemon replaces a control socket that an earlier one left.

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::target_folder;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::SoftwareKey;

/// Returns a command that runs one of the original's programs, such as `ekeyd` or `ekey-setkey`, with its libraries.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn command(name: &str) -> Command {
    with_libraries(&unpacked(&format!("usr/sbin/{name}")), &[])
}

/// Returns a command that runs the Lua interpreter with the sockets that the original's scripts load.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn lua() -> Command {
    with_libraries(&unpacked("usr/bin/lua5.1"), &[])
}

/// Returns the path of one of the original's scripts, such as `ekeydctl`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    unpacked(&format!("usr/sbin/{name}"))
}

/// Returns the path of a program of another package that `tests/run` unpacks, such as `eb_server_egd`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn outside_program(name: &str) -> PathBuf {
    unpacked(&format!("usr/bin/{name}"))
}

/// Returns the path of a shell or one of its files, such as `usr/bin/fish`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn shell(name: &str) -> PathBuf {
    let path = target_folder().join("peers/shells").join(name);
    assert!(path.exists(), "{} is missing: run tests/fetch-peers", path.display());
    path
}

/// Returns the path of one of the original's programs.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    unpacked(&format!("usr/sbin/{name}"))
}

/// Returns the folder with the modules that the original's Lua loads.
#[must_use]
pub fn lua_folder() -> PathBuf {
    root().join("usr/share/lua/5.1")
}

/// Returns the folder with the libraries that the original's programs load.
#[must_use]
pub fn library_folder() -> PathBuf {
    libraries_below(&root())
}

/// Returns a file of the packages, such as `etc/entropykey/ekeyd.conf`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn file(name: &str) -> PathBuf {
    unpacked(name)
}

/// Returns a command that runs the original's `ekeydctl` unchanged, with a configuration file that names `control`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn ekeydctl(scratch: &Scratch, control: &Path, words: &[&str]) -> Command {
    ekeydctl_at(scratch, &format!("UnixControlSocket {control:?}\n"), words)
}

/// Does the same with this text as its configuration file.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn ekeydctl_at(scratch: &Scratch, config: &str, words: &[&str]) -> Command {
    let config = scratch.write("ekeydctl.conf", config, 0o600);
    let mut command = lua();
    command
        .arg("-e")
        .arg(format!("local load = loadfile; loadfile = function() return load({config:?}) end"))
        .arg(script("ekeydctl"))
        .args(words);
    command
}

/// Returns the folder of the unpacked packages.
pub(crate) fn root() -> PathBuf {
    target_folder().join("peers/root")
}

/// Returns a file of an unpacked package.
pub(crate) fn unpacked(name: &str) -> PathBuf {
    let path = root().join(name);
    assert!(path.is_file(), "the original is not at {}: run tests/run, which fetches it", path.display());
    path
}

fn with_libraries(program: &Path, under: &[String]) -> Command {
    let libraries = libraries_below(&root());
    let scripts = root().join("usr/share/lua/5.1");
    let mut words = under.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("at least the program"));
    command
        .args(words)
        .env("LD_LIBRARY_PATH", &libraries)
        .env("LUA_PATH", format!("{0}/?.lua;{0}/?/init.lua", scripts.display()))
        .env("LUA_CPATH", format!("{}/lua/5.1/?.so", libraries.display()));
    command
}

/// A running original `ekeyd`. Dropping it kills it.
pub struct OriginalDaemon {
    /// The program itself.
    pub program: Program,
    /// Its control socket.
    pub control: PathBuf,
    /// The file that it writes entropy to, or the socket on which it serves EGD clients.
    pub output: PathBuf,
}

impl OriginalDaemon {
    /// Starts it on one key with its own keyring, writing to a file. `name` must be unique in the scratch folder.
    ///
    /// # Panics
    /// When it is not unpacked.
    #[must_use]
    pub fn start(name: &str, scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Self {
        let output = scratch.write(&format!("{name}.entropy"), "", 0o600);
        let statement = format!("SetOutputToFile {output:?}");
        Self::spawn(name, scratch, key, keyring, &statement, output, &[])
    }

    /// Does the same as [`start`](Self::start) under another program, such as `["valgrind"]`.
    ///
    /// # Panics
    /// When it is not unpacked.
    #[must_use]
    pub fn start_under(under: &[String], name: &str, scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Self {
        let output = scratch.write(&format!("{name}.entropy"), "", 0o600);
        let statement = format!("SetOutputToFile {output:?}");
        Self::spawn(name, scratch, key, keyring, &statement, output, under)
    }

    /// Does the same as [`start`](Self::start), but serves EGD clients on a unix socket; waits until it listens.
    ///
    /// # Panics
    /// When it is not unpacked, ends, or does not listen.
    #[must_use]
    pub fn start_serving(name: &str, scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Self {
        let output = scratch.path(&format!("{name}.egd"));
        let statement = format!("EGDUnixSocket {output:?}");
        let mut daemon = Self::spawn(name, scratch, key, keyring, &statement, output.clone(), &[]);
        let what = format!("{name} listening at {}", output.display());
        daemon.program.await_while_running(&what, || UnixStream::connect(&output).ok());
        daemon
    }

    fn spawn(
        name: &str,
        scratch: &Scratch,
        key: &SoftwareKey,
        keyring: &Path,
        statement: &str,
        output: PathBuf,
        under: &[String],
    ) -> Self {
        let control = scratch.path(&format!("{name}.sock"));
        let config = format!(
            "Daemonise(false)\nUnixControlSocket {control:?}\nKeyring {keyring:?}\n{statement}\nAddEntropyKey {:?}\n",
            key.path
        );
        let mut command = with_libraries(&unpacked("usr/sbin/ekeyd"), under);
        command
            .arg("-f")
            .arg(scratch.write(&format!("{name}.conf"), &config, 0o600))
            .arg("-p")
            .arg(scratch.path(&format!("{name}.pid")));
        Self { program: Program::spawn(name, command, scratch), control, output }
    }

    /// Waits until its output has at least `blocks` blocks of 32 bytes.
    ///
    /// # Panics
    /// When it ends first, or at the deadline.
    pub fn await_blocks(&mut self, blocks: u64) {
        let output = self.output.clone();
        self.program.await_while_running(&format!("{blocks} blocks in {}", output.display()), || {
            (crate::blocks::blocks_in(&output) >= blocks).then_some(())
        });
    }
}

/// Returns the folder of the shared libraries: below a folder named after the machine, such as `x86_64-linux-gnu`.
pub(crate) fn libraries_below(root: &Path) -> PathBuf {
    let folders = std::fs::read_dir(root.join("usr/lib")).into_iter().flatten();
    folders
        .flatten()
        .map(|folder| folder.path())
        .find(|folder| folder.join("liblua5.1.so.0").exists())
        .unwrap_or_else(|| panic!("no liblua5.1.so.0 below {}: run tests/run, which fetches it", root.display()))
}
