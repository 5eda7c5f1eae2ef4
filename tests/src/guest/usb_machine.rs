//! A guest with our programs in it and a software key on its USB bus.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Booted, Guest};
use crate::await_until::DEADLINE;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, Plug, SoftwareKey};
use crate::{binaries, original};

/// The settings of the guest's daemon.
#[derive(Debug, Clone)]
pub struct UsbDaemon {
    /// `auto`, `tty` or `usb`.
    pub transport: &'static str,
    /// The blocks to write to `/share/out`; `None`: no file, but an EGD socket.
    pub blocks: Option<u64>,
}

impl Guest {
    /// Makes a small guest that can drive USB keys: our daemon and tool, the original daemon, a keyring with this line.
    #[must_use]
    pub fn for_usb_keys(keyring: &str) -> Self {
        let libraries = original::library_folder();
        let guest = Self::new()
            .module("cdc-acm")
            .file("/bin/ekeyd", &binaries::built("ekeyd"))
            .file("/bin/ekey-ctl", &binaries::built("ekey-ctl"))
            .libraries(&libraries)
            .file("/bin/original-ekeyd", &original::program("ekeyd"))
            .file("/usr/lib/x86_64-linux-gnu/lua", &libraries.join("lua"))
            .file("/usr/share/lua/5.1", &original::lua_folder())
            .text("/etc/entropykey/keyring", keyring, 0o600);
        // The files that the links in Lua's folder lead to.
        ["liblua5.1-socket.so.2.0.0", "liblua5.1-socket-unix.so.2.0.0"]
            .into_iter()
            .fold(guest, |guest, name| guest.file(&format!("/usr/lib/x86_64-linux-gnu/{name}"), &libraries.join(name)))
    }
}

impl UsbDaemon {
    /// Returns the configuration, with its own control socket.
    #[must_use]
    pub fn configuration(&self, control: &str) -> String {
        let output = match self.blocks {
            Some(blocks) => format!("[file]\npath = \"/share/out\"\nmax-bytes = {}\n[egd]\nlisten = []\n", blocks * 32),
            // A small pool, so that filling it does not look like growth.
            None => "[egd]\nlisten = [\"unix:/run/egd.sock\"]\nclone-safe = false\npool-bytes = 16384\n".to_owned(),
        };
        format!(
            "control = \"{control}\"\n[keys]\ntransport = \"{}\"\n[kernel]\nenabled = false\n{output}",
            self.transport
        )
    }

    /// Starts it in the guest, logging to `/share/ekeyd.log`.
    pub fn start(&self, guest: &mut Booted) {
        std::fs::write(guest.shared("ekeyd.toml"), self.configuration("/run/control.sock"))
            .expect("the share is writable");
        guest.check("ekeyd run --config /share/ekeyd.toml >/share/ekeyd.log 2>&1 & echo $! >/run/ekeyd.pid");
        guest.await_sh("test -S /run/control.sock");
    }
}

impl Booted {
    /// Returns the daemon's status.
    ///
    /// # Panics
    /// When the daemon does not answer.
    pub fn ekeyd_status(&mut self) -> Value {
        let said = self.sh("ekey-ctl status --json --socket /run/control.sock");
        serde_json::from_str(&said.text).unwrap_or_else(|error| panic!("no status ({error}): {}", said.text))
    }

    /// Waits until the first key's status is as expected.
    ///
    /// # Panics
    /// When it is not by the deadline.
    pub fn await_key(&mut self, expected: &str, mut is_expected: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let status = self.ekeyd_status();
            if is_expected(&status["keys"][0]) {
                return status["keys"][0].clone();
            }
            assert!(
                Instant::now() < deadline,
                "{expected} did not come within {DEADLINE:?}; the log:\n{}",
                std::fs::read_to_string(self.shared("ekeyd.log")).unwrap_or_default()
            );
        }
    }
}

/// A booted machine with one key plugged in.
pub struct UsbMachine {
    /// The machine.
    pub guest: Booted,
    /// The key.
    pub key: SoftwareKey,
    _scratch: Scratch,
}

impl UsbMachine {
    /// Plugs this key in and boots.
    ///
    /// # Panics
    /// When a program is missing, or the guest does not boot.
    #[must_use]
    pub fn with(plan: KeyPlan) -> Self {
        let scratch = Scratch::make();
        let key = plan.plug(Plug::UsbRedir).plug_in(&scratch);
        let guest = Guest::for_usb_keys(&KeyPlan::named("line").keyring_line()).usbredir("key", &key.path).boot();
        Self { guest, key, _scratch: scratch }
    }

    /// Returns where a daemon with `blocks` writes, on the host.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.guest.shared("out")
    }
}

/// Makes a key hang in this way, and returns how long after its last frame entropy comes again, and the steps that were
/// taken.
///
/// # Panics
/// When nothing revives it.
#[must_use]
pub fn revived(wedge: &str) -> (Duration, Value) {
    let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500).wedge(&format!("{wedge}:1000")));
    UsbDaemon { transport: "auto", blocks: None }.start(&mut machine.guest);
    // The key sends 1,000 frames, hangs, and sends more.
    let mut silent = 0;
    let mut back = machine.guest.await_key("entropy after the hang", |key| {
        silent = silent.max(key["last_frame_ms"].as_u64().unwrap_or_default());
        key["entropy_bytes"].as_u64() > Some(1000 * 32)
    });
    machine.guest.power_off();
    (Duration::from_millis(silent), back["revival"].take())
}

/// Returns the size of a file of the host, 0 if it does not exist.
#[must_use]
pub fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
