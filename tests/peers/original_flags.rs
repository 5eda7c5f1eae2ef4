//! The original's daemon and ours, started alike on the same `ekeyd.conf`: the same listeners, owners and modes, or a
//! difference that docs/original.md lists. The files are generated from all statements of ekeyd.conf(5).
//!
//! `EKEY_ORIGINAL_FILES=1000` says how many; `tests/run` takes 40.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use ekey_tests::ports::free_port;
use ekey_tests::{Finished, Program, Scratch, await_until, binaries, original};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Files in a run of `tests/run`.
const FEW: u64 = 40;

/// Why the original refuses what we take: docs/original.md, "What is taken".
const ONLY_THERE: [(&str, &str); 3] = [
    ("Output already configured", "several outputs"),
    ("No control interface", "no control socket at all"),
    ("already present", "the same EGD socket twice"),
];
/// Why we refuse what the original takes.
const ONLY_HERE: [(&str, &str); 1] = [("is not a mode", "up to 0777")];

#[test]
fn both_open_the_same_sockets() {
    let count = std::env::var("EKEY_ORIGINAL_FILES").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW);
    let table = fs::read_to_string(ekey_tests::tree::root().join("docs/original.md")).expect("the document is there");
    for (_, row) in ONLY_THERE.iter().chain(&ONLY_HERE) {
        assert!(table.contains(row), "docs/original.md does not list: {row}");
    }
    let (mut alike, mut refused, mut listed) = (0, 0, BTreeSet::new());
    for number in 0..count {
        let scratch = Scratch::make();
        let text = File::generate(number + 1, &scratch);
        let theirs = Outcome::of(original::command("ekeyd"), &text, &scratch, "theirs");
        let ours = Outcome::of(binaries::command("ekeyd"), &text, &scratch, "ours");
        match (theirs, ours) {
            (Outcome::Serves(theirs), Outcome::Serves(ours)) => {
                assert_eq!(ours, theirs, "ours (left) and the original's sockets of file {number}:\n{text}");
                alike += 1;
            }
            (Outcome::Refuses(_), Outcome::Refuses(_)) => refused += 1,
            (Outcome::Refuses(said), Outcome::Serves(_)) => {
                let known = ONLY_THERE.iter().find(|(words, _)| said.words().contains(words));
                let (_, row) =
                    known.unwrap_or_else(|| panic!("only the original refuses file {number}: {said:?}\n{text}"));
                listed.insert(*row);
            }
            (Outcome::Serves(_), Outcome::Refuses(said)) => {
                let known = ONLY_HERE.iter().find(|(words, _)| said.words().contains(words));
                let (_, row) = known.unwrap_or_else(|| panic!("only we refuse file {number}: {said:?}\n{text}"));
                listed.insert(*row);
            }
        }
    }
    println!("{count} files: {alike} alike, {refused} refused by both, listed differences {listed:?}");
    assert!(alike * 4 > count, "only {alike} of {count} were compared");
}

#[test]
fn background_pid_file_and_version_are_the_originals() {
    let scratch = Scratch::make();
    let control = scratch.path("control");
    let config = format!("UnixControlSocket {control:?}\nKeyring {:?}\n", keyring(&scratch));
    for (name, command) in [("theirs", original::command("ekeyd")), ("ours", binaries::command("ekeyd"))] {
        let running = Background::start(command, &config, &scratch, name).expect("it starts");
        assert!(control.exists(), "{name}: the foreground process ended before the sockets were there");
        drop(running);
        let _ = fs::remove_file(&control);
    }
    for (name, mut command) in [("theirs", original::command("ekeyd")), ("ours", binaries::command("ekeyd"))] {
        command.arg("-v");
        assert_eq!(Program::run(&format!("{name}-version"), command, &scratch).code, Some(0), "{name}");
    }
}

#[test]
fn told_not_to_daemonise_it_stays() {
    let scratch = Scratch::make();
    let (control, pid_file) = (scratch.path("control"), scratch.path("pid"));
    let text = format!("Daemonise(false)\nUnixControlSocket {control:?}\nKeyring {:?}\n", keyring(&scratch));
    let config = scratch.write("ekeyd.conf", &text, 0o644);
    let mut command = binaries::command("ekeyd");
    command.arg("-f").arg(config).arg("-p").arg(&pid_file);
    let mut program = Program::spawn("ekeyd", command, &scratch);
    let pid: u32 =
        program.await_while_running("its pid file", || fs::read_to_string(&pid_file).ok()?.trim_end().parse().ok());
    assert_eq!(program.id(), pid, "monitoring programs look at this process");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
    assert!(!pid_file.exists(), "it names no process any more");
}

#[test]
fn a_failed_start_is_seen_in_the_foreground() {
    let scratch = Scratch::make();
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_port())).expect("a port can be taken");
    let port = taken.local_addr().expect("it has an address").port();
    let control = scratch.path("control");
    let text = format!("UnixControlSocket {control:?}\nKeyring {:?}\nEGDTCPSocket({port})\n", keyring(&scratch));
    for (name, command) in [("theirs", original::command("ekeyd")), ("ours", binaries::command("ekeyd"))] {
        let Err(said) = Background::start(command, &text, &scratch, name) else { panic!("{name} runs") };
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        assert!(said.words().contains(&port.to_string()) || name == "theirs", "{name}: {said:?}");
    }
}

/// What became of a start in the background.
enum Outcome {
    Serves(Sockets),
    Refuses(Finished),
}

/// The sockets of a process. Modes and owners only of those for EGD: the control socket's differ on purpose.
#[derive(Debug, PartialEq, Eq)]
struct Sockets {
    tcp: BTreeSet<String>,
    control: BTreeSet<PathBuf>,
    egd: BTreeSet<(PathBuf, u32, u32, u32)>,
}

impl Outcome {
    fn of(command: Command, text: &str, scratch: &Scratch, name: &str) -> Self {
        match Background::start(command, text, scratch, name) {
            Ok(running) => Self::Serves(Sockets::of(running.0, scratch)),
            Err(said) => Self::Refuses(said),
        }
    }
}

impl Sockets {
    fn of(process: Pid, scratch: &Scratch) -> Self {
        let entries: Vec<PathBuf> =
            fs::read_dir(scratch.folder()).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
        let named = |start: &str| -> Vec<PathBuf> {
            let is_named =
                |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
            entries.iter().filter(is_named).cloned().collect()
        };
        let egd = named("egd").into_iter().map(|path| {
            let found = path.metadata().expect("it is there");
            (path, found.mode() & 0o7777, found.uid(), found.gid())
        });
        Self { tcp: listening(process), control: named("control").into_iter().collect(), egd: egd.collect() }
    }
}

/// Returns the TCP addresses at which a process listens, as the kernel writes them.
fn listening(process: Pid) -> BTreeSet<String> {
    const LISTEN: &str = "0A";
    let links = fs::read_dir(format!("/proc/{process}/fd")).expect("this test runs as root").flatten();
    let held: BTreeSet<String> = links
        .filter_map(|link| {
            fs::read_link(link.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(ToOwned::to_owned)
        })
        .collect();
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&LISTEN) && fields.get(9).is_some_and(|inode| held.contains(*inode)) {
                found.insert(fields[1].to_owned());
            }
        }
    }
    found
}

/// A daemon in the background. Dropping it ends it and waits for that.
#[derive(Debug)]
struct Background(Pid);

impl Background {
    /// Starts it as an init script does. Returns what was said if it does not run.
    fn start(mut command: Command, text: &str, scratch: &Scratch, name: &str) -> Result<Self, Finished> {
        let config = scratch.write(&format!("{name}.conf"), text, 0o644);
        let pid_file = scratch.path(&format!("pid-{name}"));
        command.arg("-f").arg(config).arg("-p").arg(&pid_file);
        let finished = Program::run(name, command, scratch);
        if finished.code != Some(0) {
            return Err(finished);
        }
        // The original's foreground process does not wait for the file.
        let pid = await_until("the process id", || fs::read_to_string(&pid_file).ok()?.trim_end().parse().ok());
        Ok(Self(Pid::from_raw(pid)))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGTERM);
        // A process that waits for its parent's look has no program any more.
        let program = format!("/proc/{}/exe", self.0);
        await_until("the daemon to end", || fs::read_link(&program).is_err().then_some(()));
    }
}

fn keyring(scratch: &Scratch) -> PathBuf {
    scratch.write("keyring", "# none\n", 0o600)
}

/// Makes files of any statements.
struct File<'s> {
    state: u64,
    scratch: &'s Scratch,
    ports: Vec<u16>,
}

impl<'s> File<'s> {
    /// Returns the text of file `seed`.
    fn generate(seed: u64, scratch: &'s Scratch) -> String {
        let ports = (0..4).map(|_| free_port()).collect();
        let mut file = Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), scratch, ports };
        let mut lines = vec![format!("Keyring {:?}", keyring(scratch))];
        for _ in 0..file.below(4) {
            lines.push(file.control());
        }
        for _ in 0..file.below(4) {
            lines.push(file.output());
        }
        if file.below(4) == 0 {
            lines.push("Daemonise(true)".to_owned());
        }
        if file.below(3) == 0 {
            lines.push("-- a comment with EGDTCPSocket(1)".to_owned());
        }
        // In any order: the original runs them one by one.
        for at in (1..lines.len()).rev() {
            lines.swap(at, file.below(at + 1));
        }
        lines.join(if file.below(4) == 0 { " " } else { "\n" }) + "\n"
    }

    fn control(&mut self) -> String {
        let path = self.scratch.path(["control1", "control2"][self.below(2)]);
        let port = self.port();
        match self.below(4) {
            0 => format!("TCPControlSocket \"{port}\""),
            1 => format!("TCPControlSocket({port})"),
            2 => format!("UnixControlSocket({path:?})"),
            _ => format!("UnixControlSocket {path:?}"),
        }
    }

    fn output(&mut self) -> String {
        let path = self.scratch.path(["egd1", "egd2"][self.below(2)]);
        let port = self.port();
        match self.below(8) {
            0 => format!("EGDTCPSocket({port})"),
            1 => format!("EGDTCPSocket \"{port}\""),
            2 => {
                let host = ["127.0.0.1", "*", "localhost", "0", "127.1", "::1", "no such host"][self.below(7)];
                format!("EGDTCPSocket({port}, \"{host}\")")
            }
            3 => format!("EGDTCPSocket(\n    {port} --[[, \"::1\" ]]\n)"),
            4 => format!("EGDUnixSocket {path:?}"),
            5 | 6 => {
                let mode = ["660", "0660", "\"0660\"", "\"600\"", "666", "\"999\"", "1777", "\" 640\""][self.below(8)];
                let owner = ["", ", \"daemon\"", ", \"\", \"daemon\"", ", \"root\", \"daemon\"", ", \"no-such-user\""]
                    [self.below(5)];
                format!("EGDUnixSocket({path:?}, {mode}{owner})")
            }
            _ => {
                let file = self.scratch.write("file", "", 0o600);
                format!("SetOutputToFile {file:?}")
            }
        }
    }

    fn port(&mut self) -> u16 {
        let at = self.below(self.ports.len());
        self.ports[at]
    }

    /// Returns a number below `bound` (Marsaglia's xorshift64*).
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.max(1);
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}
