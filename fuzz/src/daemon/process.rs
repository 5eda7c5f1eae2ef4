//! The daemon: this program itself, started again. Its log, its figures as the kernel counts them, and its own books.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ekey_control::Client;
use ekey_control::status::Discrepancy;
use ekey_proto::{LongTermKey, Serial};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::device::{LONG_TERM_KEY, SERIAL};

/// Set for the process that is to be the daemon.
const MARK: &str = "EKEY_FUZZ_DAEMON";
const MINUTE: Duration = Duration::from_secs(60);
/// Lines of one kind in a minute.
const MOST_LINES: usize = 10;

/// Runs the daemon and ends, in the process that was started for it. Does nothing in any other.
pub fn become_the_daemon() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    // It must not outlive the fuzzer. Best effort: a change of user undoes it.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let code = ekeyd::main();
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

/// The running daemon.
pub(super) struct Daemon {
    process: Child,
    folder: tempfile::TempDir,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    lines: u64,
    /// When lines of each kind were logged in the last minute, and the last of them.
    kinds: HashMap<String, (VecDeque<Instant>, String)>,
    too_many: Option<String>,
}

impl Daemon {
    /// Starts it for the key in `folder`.
    pub(super) fn start(folder: tempfile::TempDir) -> Self {
        let path = |name: &str| folder.path().join(name);
        let key = LongTermKey::from_bytes(LONG_TERM_KEY).to_base64();
        let keyring = format!("{} {}\n", Serial::from_bytes(SERIAL), String::from_utf8_lossy(&key));
        let write = |name: &str, text: &str| {
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(name));
            file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file can be written");
        };
        write("keyring", &keyring);
        let quoted = |name: &str| format!("{:?}", path(name));
        write(
            "ekeyd.toml",
            &format!(
                "keyring = {}\ncontrol = {}\n[keys]\ndiscover = false\npaths = [{}]\n[kernel]\nenabled = false\n\
                 [pool]\nbytes = 65536\n[egd]\nlisten = []\n[file]\npath = \"/dev/null\"\n[sandbox]\nuser = \"root\"\n",
                quoted("keyring"),
                quoted("control"),
                quoted("key"),
            ),
        );
        let own = std::env::current_exe().expect("a running program has a path");
        let mut process = Command::new(own)
            .args([PathBuf::from("run"), "--config".into(), path("ekeyd.toml")])
            .env(MARK, "1")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon can be started");
        let log = Arc::<Mutex<Log>>::default();
        let (lines, written) = (BufReader::new(process.stderr.take().expect("it is piped")), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                written.lock().expect("no holder panics").note(&line, Instant::now());
            }
        });
        Self { process, folder, log }
    }

    /// Returns the sums of its books that do not add up.
    pub(super) fn discrepancies(&self) -> Vec<Discrepancy> {
        let path = self.folder.path().join("control");
        let mut client = Client::connect_within(&path, MINUTE).expect("the daemon answers");
        client.status().expect("the daemon has a status").discrepancies()
    }

    /// Panics if it has ended, or has logged a kind of line too often in any minute.
    pub(super) fn assert_log_is_quiet(&mut self) {
        let ended = self.process.try_wait().expect("it is a child");
        let log = self.log.lock().expect("no holder panics");
        assert!(ended.is_none(), "the daemon ended: {ended:?}; {}", log.summary());
        assert!(log.too_many.is_none(), "more than {MOST_LINES} lines of a kind in a minute: {}", log.summary());
    }

    /// Returns how much was logged.
    pub(super) fn log_so_far(&self) -> String {
        let log = self.log.lock().expect("no holder panics");
        format!("{} lines of {} kinds logged", log.lines, log.kinds.len())
    }

    /// Returns its figures.
    pub(super) fn figures(&self) -> Figures {
        let folder = PathBuf::from(format!("/proc/{}", self.process.id()));
        let status = fs::read_to_string(folder.join("status")).expect("it runs");
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        let threads = fs::read_dir(folder.join("task")).expect("it runs").flatten();
        let nanoseconds = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
            .filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .sum();
        Figures {
            memory_kb: field("RssAnon:"),
            threads: field("Threads:"),
            // Only root may read those of a process that hides its memory.
            files: fs::read_dir(folder.join("fd")).map_or(0, Iterator::count),
            processor: Duration::from_nanos(nanoseconds),
        }
    }
}

impl Log {
    fn note(&mut self, line: &str, now: Instant) {
        self.lines += 1;
        let (times, last) = self.kinds.entry(kind(line)).or_default();
        line.clone_into(last);
        times.push_back(now);
        while times.front().is_some_and(|first| now.duration_since(*first) > MINUTE) {
            times.pop_front();
        }
        if times.len() > MOST_LINES {
            self.too_many = Some(line.to_owned());
        }
    }

    fn summary(&self) -> String {
        let mut kinds: Vec<_> = self.kinds.values().map(|(times, last)| format!("{} x {last}", times.len())).collect();
        kinds.sort();
        kinds.join("\n")
    }
}

/// Returns what lines of one kind have in common: level and first words, without the time, the key and the device's own words.
fn kind(line: &str) -> String {
    let plain: String = line.chars().filter(|character| !character.is_ascii_digit()).collect();
    let level = ["ERROR", "WARN", "INFO"].into_iter().find(|level| plain.contains(level)).unwrap_or_default();
    let said = plain.split_once(level).map_or(plain.as_str(), |(_, rest)| rest);
    // Fields come behind the words.
    format!("{level} {}", said.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// What the kernel counts of a process.
pub(super) struct Figures {
    pub(super) memory_kb: u64,
    pub(super) threads: u64,
    pub(super) files: usize,
    pub(super) processor: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kb, threads, files, processor } = self;
        write!(f, "{memory_kb} KB, {threads} threads, {files} files, {:.2} s of processor time", processor.as_secs_f64())
    }
}
