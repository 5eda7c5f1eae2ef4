//! A key in software as a test plugs it in: `ekey-sim` on a unix socket or a pty, its secrets, and its log of what it
//! sent.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::binaries;
use crate::program::Program;
use crate::scratch::Scratch;

/// The serial number of the real key whose frames are in `ekey-proto/vectors`.
pub const SERIAL: &str = "NwBvBlg3OTBJORFD";
/// A second serial number, with the two characters of base64 that are awkward in paths and expressions.
pub const SECOND_SERIAL: &str = "Nw/vBlg3+TBJORFE";
/// The invented long-term key of `ekey-proto/vectors/session.json`, as a keyring spells it.
pub const LONG_TERM_KEY: &str = "akY0+IKb9X5wj+9Ih/0ozcBZWbxnlse7laHCBR4EUho=";
/// Another one.
pub const SECOND_LONG_TERM_KEY: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
/// The invented master key of `ekey-proto/vectors/session.json`, as base64 of its 32 bytes.
pub const MASTER_KEY: &str = "/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8k=";
/// The same master key as a card spells it, with its check digits.
pub const MASTER_KEY_ON_CARD: &str = "/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8mh";

/// The next seed: two keys with one seed would send the same blocks.
static SEEDS: AtomicU32 = AtomicU32::new(1);

/// Where the key plugs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// A unix socket, as the original's USB helper makes.
    Unix,
    /// A pseudo terminal behind a symbolic link.
    Pty,
    /// A USB bus that a guest's QEMU makes, over a socket.
    UsbRedir,
}

/// The plan of a software key.
#[derive(Clone)]
pub struct KeyPlan {
    name: String,
    plug: Plug,
    serial: String,
    long_term_key: String,
    master_key: Option<String>,
    rate: u32,
    faults: Vec<String>,
    wedge: Option<String>,
    seed: Option<u32>,
    plain_log: Option<PathBuf>,
    others: Vec<String>,
}

impl fmt::Debug for KeyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPlan({} as {:?})", self.name, self.plug)
    }
}

impl KeyPlan {
    /// Plans a healthy key with serial number [`SERIAL`] that sends as fast as the host reads, on a unix socket.
    ///
    /// `name` must be unique in the scratch folder.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            plug: Plug::Unix,
            serial: SERIAL.to_owned(),
            long_term_key: LONG_TERM_KEY.to_owned(),
            master_key: None,
            rate: 0,
            faults: Vec::new(),
            wedge: None,
            seed: None,
            plain_log: None,
            others: Vec::new(),
        }
    }

    /// Plugs in elsewhere.
    #[must_use]
    pub fn plug(mut self, plug: Plug) -> Self {
        self.plug = plug;
        self
    }

    /// Sets its serial number and long-term key (44 characters).
    #[must_use]
    pub fn identity(mut self, serial: &str, long_term_key: &str) -> Self {
        serial.clone_into(&mut self.serial);
        long_term_key.clone_into(&mut self.long_term_key);
        self
    }

    /// Sets its master key, which allows a new long-term key.
    #[must_use]
    pub fn master_key(mut self, master_key: &str) -> Self {
        self.master_key = Some(master_key.to_owned());
        self
    }

    /// Sets its frames a second; 0: as fast as the host reads.
    #[must_use]
    pub fn rate(mut self, frames_per_second: u32) -> Self {
        self.rate = frames_per_second;
        self
    }

    /// Adds a fault, such as `flip:100`.
    #[must_use]
    pub fn fault(mut self, fault: &str) -> Self {
        self.faults.push(fault.to_owned());
        self
    }

    /// Makes it hang in this way.
    #[must_use]
    pub fn wedge(mut self, kind: &str) -> Self {
        self.wedge = Some(kind.to_owned());
        self
    }

    /// Sets the seed of what it sends, which must be unique; by default each key gets one when it is plugged in.
    #[must_use]
    pub fn seed(mut self, seed: u32) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the file where it logs what it sends; by default each key has its own file in the scratch folder.
    #[must_use]
    pub fn plain_log(mut self, path: &Path) -> Self {
        self.plain_log = Some(path.to_owned());
        self
    }

    /// Makes it flood the host with frames of this kind, such as `serials`.
    #[must_use]
    pub fn flood(mut self, kind: &str) -> Self {
        self.others.extend(["--flood".to_owned(), kind.to_owned()]);
        self
    }

    /// Makes its generators go bad in this way, such as `stuck:10-20`.
    #[must_use]
    pub fn bad_source(mut self, source: &str) -> Self {
        self.others.extend(["--bad-source".to_owned(), source.to_owned()]);
        self
    }

    /// Makes it report from the beginning that its left generator gets worse.
    #[must_use]
    pub fn fading(mut self) -> Self {
        self.others.extend(["--fade".to_owned(), "17".to_owned()]);
        self
    }

    /// Returns the line that a keyring needs for this key.
    #[must_use]
    pub fn keyring_line(&self) -> String {
        format!("{} {}\n", self.serial, self.long_term_key)
    }

    /// Plugs the key in and waits until it can be opened.
    ///
    /// # Panics
    /// When `ekey-sim` is not built, refuses the plan, or makes no socket or link.
    #[must_use]
    pub fn plug_in(&self, scratch: &Scratch) -> SoftwareKey {
        let number = SEEDS.fetch_add(1, Ordering::Relaxed);
        let path = scratch.path(&format!("{}.key", self.name));
        let own = || scratch.path(&format!("{}.{number}.plain", self.name));
        let plain_log = self.plain_log.clone().unwrap_or_else(own);
        // What an earlier killed key left behind would look like a key that can be opened.
        let _ = std::fs::remove_file(&path);
        let command = self.command(scratch, number, &path, &plain_log);
        let name = format!("ekey-sim-{}-{number}", self.name);
        let mut program = Program::spawn(&name, command, scratch);
        program.await_while_running(&format!("ekey-sim making {}", path.display()), || {
            (path.symlink_metadata().is_ok() && (self.plug != Plug::Unix || listens(&path))).then_some(())
        });
        SoftwareKey { program, path, plain_log }
    }

    fn command(&self, scratch: &Scratch, seed: u32, path: &Path, plain_log: &Path) -> Command {
        let secret =
            |kind: &str, text: &str| scratch.write(&format!("{}.{kind}", self.name), &format!("{text}\n"), 0o600);
        let mut command = binaries::command("ekey-sim");
        command
            .arg(match self.plug {
                Plug::Unix => "--unix",
                Plug::Pty => "--pty",
                Plug::UsbRedir => "--usbredir",
            })
            .arg(path)
            .args(["--serial", &self.serial])
            .arg("--ltk-file")
            .arg(secret("ltk", &self.long_term_key))
            .args(["--seed", &self.seed.unwrap_or(seed).to_string()])
            .args(["--rate", &self.rate.to_string()])
            .arg("--plain-log")
            .arg(plain_log);
        if let Some(master_key) = &self.master_key {
            command.arg("--master-file").arg(secret("master", master_key));
        }
        for fault in &self.faults {
            command.args(["--fault", fault]);
        }
        command.args(&self.others);
        if let Some(kind) = &self.wedge {
            command.args(["--wedge", kind]);
        }
        command
    }
}

/// Returns whether a program listens on the unix socket at `path`, without connecting to it: a key accepts one host at
/// a time. The file appears a moment earlier.
fn listens(path: &Path) -> bool {
    const LISTENING: &str = "00010000";
    let sockets = std::fs::read_to_string("/proc/net/unix").expect("the kernel lists its unix sockets");
    let name = path.display().to_string();
    sockets.lines().any(|line| line.ends_with(&name) && line.split_whitespace().nth(3) == Some(LISTENING))
}

/// A plugged-in software key. Dropping it unplugs it.
pub struct SoftwareKey {
    /// The program behind it.
    pub program: Program,
    /// The socket or the link to the terminal.
    pub path: PathBuf,
    /// Every block of entropy that it has sent whole, 32 bytes each, in order.
    pub plain_log: PathBuf,
}
