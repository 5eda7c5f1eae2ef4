//! A healthy machine made of files, until a test changes something.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The daemon's user.
pub(crate) const DAEMON_UID: u32 = 4_000_000;
/// `CapEff` with only CAP_SYS_ADMIN.
pub(crate) const SYS_ADMIN: &str = "0000000000200000";

/// The key's folder in sysfs.
pub(crate) const KEY: &str = "sys/bus/usb/devices/1-1.2";

/// Dropping it removes the folder.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    /// Makes a machine with a recent kernel and the daemon's files, without key and daemon. The daemon's user is `entropy`.
    pub(crate) fn new() -> Self {
        let machine = Self { root: tempfile::tempdir().expect("a folder") };
        machine.write("proc/sys/kernel/random/poolsize", "256");
        machine.write("proc/sys/kernel/random/entropy_avail", "256");
        machine.write("proc/sys/kernel/osrelease", "6.1.0-56-amd64");
        machine
            .write("lib/modules/6.1.0-56-amd64/modules.alias", "alias usb:v20DFp0001d*dc*dsc*dp*ic*isc*ip*in* cdc_acm");
        machine.write("etc/passwd", &format!("root:x:0:0:::\nentropy:x:{DAEMON_UID}:1:::"));
        machine.write("etc/entropykey/ekeyd.toml", "");
        machine.write("etc/entropykey/keyring", "");
        machine.mode("etc/entropykey/keyring", 0o600);
        machine
    }

    /// Adds a key with the driver `cdc_acm` and the settings of udev's rules.
    pub(crate) fn with_key(self, serial: &str) -> Self {
        for (name, value) in [
            ("idVendor", "20df"),
            ("idProduct", "0001"),
            ("busnum", "1"),
            ("devnum", "4"),
            ("serial", serial),
            ("bConfigurationValue", "1"),
            ("authorized", "1"),
            ("power/control", "on"),
            ("port/disable", "0"),
        ] {
            self.write(&format!("{KEY}/{name}"), value);
        }
        for interface in 0..2 {
            self.link(&format!("{KEY}/1-1.2:1.{interface}/driver"), "/sys/bus/usb/drivers/cdc_acm");
        }
        fs::create_dir_all(self.path(&format!("{KEY}/1-1.2:1.0/tty/ttyACM0"))).expect("a folder");
        for node in ["dev/ttyACM0", "dev/bus/usb/001/004"] {
            self.write(node, "");
            self.mode(node, 0o660);
        }
        self.write("run/udev/data/c189:3", "E:ID_MM_DEVICE_IGNORE=1");
        self
    }

    /// Adds the daemon as a process of its own user, in the group of this machine's files.
    pub(crate) fn with_daemon(self, pid: u32) -> Self {
        self.process(pid, "ekeyd");
        self.daemon_may(pid, SYS_ADMIN, self.group());
        self.write(&format!("proc/{pid}/environ"), "HOME=/\0WATCHDOG_USEC=30000000\0");
        self.write(&format!("proc/{pid}/cmdline"), "ekeyd\0run\0");
        self
    }

    /// Sets the daemon's capabilities and its only group. Its user owns none of this machine's files.
    pub(crate) fn daemon_may(&self, pid: u32, capabilities: &str, group: u32) {
        let ids = |id: u32| format!("{id}\t{id}\t{id}\t{id}");
        let text = format!(
            "Name:\tekeyd\nUid:\t{}\nGid:\t{}\nGroups:\t\nCapEff:\t{capabilities}\n",
            ids(DAEMON_UID),
            ids(group)
        );
        self.write(&format!("proc/{pid}/status"), &text);
    }

    /// Makes the daemon run as the owner of this machine's files.
    pub(crate) fn daemon_is_owner(&self, pid: u32) {
        let owner = fs::metadata(self.root()).expect("it is there").uid();
        let status = fs::read_to_string(self.path(&format!("proc/{pid}/status"))).expect("a daemon");
        self.write(&format!("proc/{pid}/status"), &status.replace(&DAEMON_UID.to_string(), &owner.to_string()));
    }

    pub(crate) fn process(&self, pid: u32, name: &str) {
        self.write(&format!("proc/{pid}/comm"), name);
        fs::create_dir_all(self.path(&format!("proc/{pid}/fd"))).expect("a folder");
    }

    /// Returns the group of this machine's files.
    pub(crate) fn group(&self) -> u32 {
        fs::metadata(self.root()).expect("it is there").gid()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, format!("{text}\n")).expect("a file");
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        let _ = fs::remove_file(&path);
        symlink(target, path).expect("a link");
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("it was there");
    }

    /// Runs `doctor --json` on this machine and the daemon at `socket`.
    pub(crate) fn examined(&self, socket: &Path) -> Findings {
        let output = self.run(socket, &["--json"]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        Findings { code: output.status.code(), json }
    }

    /// Runs the tool, and returns its output.
    pub(crate) fn run(&self, socket: &Path, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
        command.env_remove("EKEYD_SOCKET").env("PATH", self.path("bin"));
        command.arg("--socket").arg(socket).args(["doctor", "--root"]).arg(self.root()).args(words);
        command.output().expect("to run ekey-ctl")
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }
}

/// The answer of `doctor --json`.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) code: Option<i32>,
    pub(crate) json: Value,
}

impl Findings {
    /// Returns verdict, text and advice of the first check of a topic.
    #[track_caller]
    pub(crate) fn of(&self, topic: &str) -> (String, String) {
        let checks = self.json["checks"].as_array().expect("a list");
        let check = checks.iter().find(|check| check["topic"] == topic);
        let check = check.unwrap_or_else(|| panic!("nothing about {topic}: {:#}", self.json));
        let word = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        (word("verdict"), format!("{} -> {}", word("text"), word("advice")))
    }

    /// Checks that a topic has this verdict and names each of `words`.
    #[track_caller]
    pub(crate) fn shows(&self, topic: &str, verdict: &str, words: &[&str]) {
        let (seen, text) = self.of(topic);
        assert_eq!(seen, verdict, "{topic}: {text}");
        for word in words {
            assert!(text.contains(word), "{topic} does not name {word:?}: {text}");
        }
    }

    /// Returns the topics with something to do.
    pub(crate) fn todo(&self) -> Vec<&str> {
        let checks = self.json["checks"].as_array().expect("a list");
        let todo = checks.iter().filter(|check| check["verdict"] == "todo");
        todo.map(|check| check["topic"].as_str().expect("a text")).collect()
    }
}
