//! Programs of Debian and PyPI that people use with the daemon, as `tests/fetch-peers` unpacked them: EGD clients, tunnels, monitors.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::await_until::await_until;
use crate::binaries::target_folder;
use crate::original::{libraries_below, root, unpacked};
use crate::ports::free_port;
use crate::program::Program;
use crate::scratch::Scratch;

/// What Python 2 did: text is bytes. The client of PyPI was written for it.
const PYTHON_2: &str = "import socket, sys
class Socket(socket.socket):
    def send(self, text):
        return super().send(text.encode('latin-1'))
    def recv(self, most):
        return super().recv(most).decode('latin-1')
socket.socket = Socket
";

/// Returns a command that runs a program of the packages, such as `usr/bin/monit`, with its libraries.
///
/// # Panics
/// When `tests/fetch-peers` has not unpacked it.
#[must_use]
pub fn command(path: &str) -> Command {
    let mut command = Command::new(unpacked(path));
    command.env("LD_LIBRARY_PATH", library_path());
    command
}

/// Returns a command that runs a script of Perl with the modules of the packages, on a machine whose `/run` is `run`. Only root can.
///
/// # Panics
/// When `tests/fetch-peers` has not unpacked the modules.
#[must_use]
pub fn perl(script: &Path, run: &Path) -> Command {
    let _ = unpacked("usr/share/perl5/Crypt/Random/Seed.pm");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /run && exec perl \"$1\""]).arg(run).arg(script);
    command.env("PERL5LIB", root().join("usr/share/perl5"));
    command
}

/// Returns a command that runs lines of Python with the client `egd` of PyPI, and these arguments.
///
/// # Panics
/// When `tests/fetch-peers` has not unpacked it.
#[must_use]
pub fn python(lines: &str, arguments: &[&str]) -> Command {
    let folder = target_folder().join("peers/egd");
    assert!(folder.join("egd.py").is_file(), "no egd.py in {}: run tests/fetch-peers", folder.display());
    let mut command = Command::new("python3");
    command.arg("-c").arg(format!("{PYTHON_2}import egd\n{lines}")).args(arguments).env("PYTHONPATH", folder);
    // Python would write its cache there.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Starts stunnel with one service of these lines, which must not have an `accept`. Returns it with its port.
///
/// # Panics
/// When it is not unpacked, ends, or does not listen.
#[must_use]
pub fn stunnel(name: &str, scratch: &Scratch, lines: &str) -> (Program, u16) {
    let port = free_port();
    let text = format!("foreground = yes\npid =\nsyslog = no\n[egd]\naccept = 127.0.0.1:{port}\n{lines}");
    let mut command = command("usr/bin/stunnel4");
    command.arg(scratch.write(&format!("{name}.conf"), &text, 0o600));
    let mut program = Program::spawn(name, command, scratch);
    program.await_while_running("stunnel to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
    (program, port)
}

/// Postfix with only the program that gathers random data, on this EGD server. Dropping it ends it.
pub struct Postfix {
    program: Program,
    log: PathBuf,
}

impl Postfix {
    /// Starts it. Only root can.
    ///
    /// # Panics
    /// When it is not unpacked.
    #[must_use]
    pub fn start(scratch: &Scratch, egd: &Path) -> Self {
        let [queue, data, log] = ["queue", "data", "postfix.log"].map(|name| scratch.path(name));
        let libraries = library_path();
        let daemons = unpacked("usr/lib/postfix/sbin/master").parent().expect("a folder").to_owned();
        let main = format!(
            "compatibility_level = 3.7\nqueue_directory = {}\ndata_directory = {}\ndaemon_directory = {}\nshlib_directory = {}\n\
             meta_directory = {}\nmail_owner = nobody\nsetgid_group = daemon\ndefault_privs = games\n\
             tls_random_source = egd:{}\ntls_random_bytes = 255\ntls_random_reseed_period = 1s\n\
             import_environment = MAIL_CONFIG LD_LIBRARY_PATH={libraries}\n\
             export_environment = LD_LIBRARY_PATH={libraries}\n\
             maillog_file = {}\nmaillog_file_prefixes = {}\ninet_interfaces = loopback-only\n",
            queue.display(),
            data.display(),
            daemons.display(),
            root().join("usr/lib/postfix").display(),
            scratch.folder().display(),
            egd.display(),
            log.display(),
            scratch.folder().display(),
        );
        let _ = scratch.write("main.cf", &main, 0o644);
        let services = "tlsmgr unix - - n 1 1 tlsmgr -v\npostlog unix-dgram n - n - 1 postlogd\n";
        let _ = scratch.write("master.cf", services, 0o644);
        let _ = scratch.write("dynamicmaps.cf", "", 0o644);
        for name in ["data", "queue/pid", "queue/private", "queue/public"] {
            std::fs::create_dir_all(scratch.path(name)).expect("a scratch folder can be made");
            let owner = nix::unistd::User::from_name("nobody").ok().flatten().expect("each machine has this user").uid;
            std::os::unix::fs::chown(scratch.path(name), Some(owner.as_raw()), None).expect("this test runs as root");
        }
        // The folders above must be open to that user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(scratch.folder(), mode).expect("a scratch folder's mode can be set");
        let mut command = Command::new(daemons.join("master"));
        command.arg("-c").arg(scratch.folder()).arg("-d").env("LD_LIBRARY_PATH", &libraries);
        command.env("MAIL_CONFIG", scratch.folder());
        Self { program: Program::spawn("postfix", command, scratch), log }
    }

    /// Waits until its log has a line with these words.
    ///
    /// # Panics
    /// When it ends first, or at the deadline.
    pub fn await_line(&mut self, words: &str) {
        let log = self.log.clone();
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        self.program
            .await_while_running(&format!("`{words}` in Postfix's log"), || text().contains(words).then_some(()));
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // Its children end with it only if it may end them.
        if self.program.ended().is_none() {
            self.program.signal(nix::sys::signal::Signal::SIGTERM);
            await_until("Postfix to end", || self.program.ended());
        }
    }
}

fn library_path() -> String {
    format!("{}:{}", libraries_below(&root()).display(), root().join("usr/lib/postfix").display())
}
