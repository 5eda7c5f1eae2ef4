//! A running program whose output is kept, that is awaited with a deadline, and that never outlives its test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::await_until::await_until;
use crate::scratch::Scratch;

/// How much of a log a failing test shows, in bytes from its end.
const SHOWN: usize = 4000;

/// A child process. Its standard output and error go to files in the scratch folder; dropping it kills it.
pub struct Program {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    ended: Option<ExitStatus>,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Returns both outputs, for messages.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Program {
    /// Starts `command`; `name` names its log files and must be unique in the scratch folder.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(name: &str, command: Command, scratch: &Scratch) -> Self {
        Self::spawn_with(name, command, scratch, None)
    }

    /// Does the same with the caller's standard input and output, if given; then its output log stays empty.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn_with(name: &str, mut command: Command, scratch: &Scratch, own: Option<(Stdio, Stdio)>) -> Self {
        let stdout = scratch.path(&format!("{name}.stdout"));
        let stderr = scratch.path(&format!("{name}.stderr"));
        let file = |path: &Path| File::create(path).expect("a log file can be made");
        let output = file(&stdout);
        let (input, output) = own.unwrap_or_else(|| (Stdio::null(), output.into()));
        let child = command
            .stdin(input)
            .stdout(output)
            .stderr(file(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error} ({command:?})"));
        Self { name: name.to_owned(), child, stdout, stderr, ended: None }
    }

    /// Runs a program to its end.
    ///
    /// # Panics
    /// When it cannot be started or has not ended by the deadline.
    #[must_use]
    pub fn run(name: &str, command: Command, scratch: &Scratch) -> Finished {
        let mut program = Self::spawn(name, command, scratch);
        let status = program.wait();
        Finished { code: status.code(), stdout: program.stdout(), stderr: program.stderr() }
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns how it ended, if it has.
    ///
    /// # Panics
    /// Never for a child of this process.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("an own child can be asked");
        }
        self.ended
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it still runs at the deadline.
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        await_until(&what, || self.ended())
    }

    /// Waits until `probe` gives a value, as [`await_until`] does, but only while the program runs.
    ///
    /// # Panics
    /// When the program ends first, or at the deadline.
    pub fn await_while_running<T>(&mut self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        await_until(what, || {
            probe().or_else(|| match self.ended() {
                Some(status) => panic!("{} ended ({status}) before {what}", self.name),
                None => None,
            })
        })
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the program has ended.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).expect("a process id fits");
        kill(Pid::from_raw(id), signal).expect("the program is there to be signalled");
    }

    /// Ends it as a power cut would (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }

    /// Returns its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Returns its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let before = self.ended();
        self.kill();
        if std::thread::panicking() {
            let state = before.map_or("still running".to_owned(), |status| status.to_string());
            eprintln!("-- {}: {state}", self.name);
            for (stream, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
                eprintln!("-- {} {stream}: {}", self.name, tail(&text));
            }
        }
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map_or_else(
        |error| format!("({} cannot be read: {error})", path.display()),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

fn tail(text: &str) -> String {
    if text.is_empty() {
        return "(nothing)".to_owned();
    }
    let from = text.len().saturating_sub(SHOWN);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("\n{}", &text[from..])
}
