//! The vendor's own programs (Debian packages `ekeyd`, `lua5.1` and what they load), as `tests/run` unpacked them.
//!
//! What the original daemon asks of its configuration, seen by running it: a key that cannot be opened while the
//! configuration is read ends the daemon (exit 1), so the key is plugged in first, and no pause is needed after that;
//! the output file must exist; a control socket left behind by a forerunner is replaced.

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::target_folder;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::SoftwareKey;

/// A command that runs one of the original's programs, such as `ekeyd` or `ekey-setkey`, with what it loads.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn command(name: &str) -> Command {
    with_libraries(&unpacked(&format!("usr/sbin/{name}")), &[])
}

/// A command that runs the Lua interpreter with the sockets that the original's scripts load.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn lua() -> Command {
    with_libraries(&unpacked("usr/bin/lua5.1"), &[])
}

/// The path of one of the original's scripts, such as `ekeydctl`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    unpacked(&format!("usr/sbin/{name}"))
}

/// The path of a program of another package that `tests/run` unpacks, such as `eb_server_egd`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn outside_program(name: &str) -> PathBuf {
    unpacked(&format!("usr/bin/{name}"))
}

/// The path of one of the original's programs.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    unpacked(&format!("usr/sbin/{name}"))
}

/// The folder with the modules that the original's Lua loads.
#[must_use]
pub fn lua_folder() -> PathBuf {
    root().join("usr/share/lua/5.1")
}

/// The folder with the libraries that the original's programs load.
#[must_use]
pub fn library_folder() -> PathBuf {
    libraries_below(&root())
}

/// A file of the packages, such as `etc/entropykey/ekeyd.conf`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn file(name: &str) -> PathBuf {
    unpacked(name)
}

/// A command that runs the original's `ekeydctl` as it is; only its configuration file is another one, which names `control`.
///
/// # Panics
/// When `tests/run` has not unpacked it.
#[must_use]
pub fn ekeydctl(scratch: &Scratch, control: &Path, words: &[&str]) -> Command {
    ekeydctl_at(scratch, &format!("UnixControlSocket {control:?}\n"), words)
}

/// The same with this text as its configuration file.
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

/// Where the packages are unpacked.
pub(crate) fn root() -> PathBuf {
    target_folder().join("peers/root")
}

/// A file of an unpacked package.
pub(crate) fn unpacked(name: &str) -> PathBuf {
    let path = root().join(name);
    assert!(path.is_file(), "the original is not at {}: run tests/run, which fetches it", path.display());
    path
}

fn with_libraries(program: &Path, under: &[String]) -> Command {
    let libraries = libraries_below(&root());
    let scripts = root().join("usr/share/lua/5.1");
    let mut words = under.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("the program at least"));
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
    /// The file that it writes entropy to, or the socket that it serves EGD clients on.
    pub output: PathBuf,
}

impl OriginalDaemon {
    /// Starts it on one key with a keyring of its own, writing to a file. `name` must be its own in the scratch folder.
    ///
    /// # Panics
    /// When it is not unpacked.
    #[must_use]
    pub fn start(name: &str, scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Self {
        let output = scratch.write(&format!("{name}.entropy"), "", 0o600);
        let statement = format!("SetOutputToFile {output:?}");
        Self::spawn(name, scratch, key, keyring, &statement, output, &[])
    }

    /// Like [`start`](Self::start), but run by another program, such as `["valgrind"]`.
    ///
    /// # Panics
    /// When it is not unpacked.
    #[must_use]
    pub fn start_under(under: &[String], name: &str, scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Self {
        let output = scratch.write(&format!("{name}.entropy"), "", 0o600);
        let statement = format!("SetOutputToFile {output:?}");
        Self::spawn(name, scratch, key, keyring, &statement, output, under)
    }

    /// Like [`start`](Self::start), but serving EGD clients on a unix socket; waits until it does.
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

    /// Waits until its output has at least so many blocks of 32 bytes.
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

/// Where the shared libraries are: below a folder named after the machine, such as `x86_64-linux-gnu`.
pub(crate) fn libraries_below(root: &Path) -> PathBuf {
    let folders = std::fs::read_dir(root.join("usr/lib")).into_iter().flatten();
    folders
        .flatten()
        .map(|folder| folder.path())
        .find(|folder| folder.join("liblua5.1.so.0").exists())
        .unwrap_or_else(|| panic!("no liblua5.1.so.0 below {}: run tests/run, which fetches it", root.display()))
}
