//! QEMU's monitor: commands as JSON lines, answers between the events.
//!
//! Source: QEMU's docs/interop/qmp-spec.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::await_until::DEADLINE;

/// A connection to the monitor of a running QEMU.
pub struct Qmp {
    lines: BufReader<UnixStream>,
    events: Vec<Value>,
}

impl Qmp {
    /// Reads QEMU's greeting and answers it.
    ///
    /// # Panics
    /// When no monitor answers.
    pub(super) fn greet(stream: UnixStream) -> Self {
        let mut qmp = Self { lines: BufReader::new(stream), events: Vec::new() };
        let greeting = qmp.line(Instant::now() + DEADLINE);
        assert!(greeting["QMP"].is_object(), "QEMU greets with {greeting}");
        qmp.run("qmp_capabilities", &json!({}));
        qmp
    }

    /// Runs a command and returns its result.
    ///
    /// # Panics
    /// When QEMU refuses it, with its reason, or does not answer.
    pub fn run(&mut self, command: &str, arguments: &Value) -> Value {
        self.try_run(command, arguments).unwrap_or_else(|error| panic!("QEMU refuses {command} {arguments}: {error}"))
    }

    /// Runs a command that may be refused.
    ///
    /// # Errors
    /// QEMU's reason for refusing it.
    ///
    /// # Panics
    /// When QEMU does not answer.
    pub fn try_run(&mut self, command: &str, arguments: &Value) -> Result<Value, String> {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.lines.get_mut().write_all(line.as_bytes()).unwrap_or_else(|error| panic!("QEMU does not listen: {error}"));
        let until = Instant::now() + DEADLINE;
        loop {
            let mut answer = self.line(until);
            if answer.get("event").is_some() {
                self.events.push(answer);
            } else if answer.get("error").is_some() {
                return Err(answer["error"]["desc"].as_str().unwrap_or("no reason given").to_owned());
            } else {
                return Ok(answer["return"].take());
            }
        }
    }

    /// Waits for an event of that name which `fits`, or takes an earlier one.
    ///
    /// # Panics
    /// When none comes by the deadline, with those that did.
    pub fn await_event(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name && fits(&event["data"])) {
                return self.events.remove(at);
            }
            assert!(Instant::now() < until, "no {name} from QEMU within {DEADLINE:?}, only {:?}", self.events);
            let event = self.line(until);
            self.events.push(event);
        }
    }

    fn line(&mut self, until: Instant) -> Value {
        let mut line = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.lines.get_ref().set_read_timeout(Some(left)).expect("a timeout above zero can be set");
            match self.lines.read_until(b'\n', &mut line) {
                Ok(0) => panic!("QEMU has closed its monitor"),
                Ok(_) => return serde_json::from_slice(&line).expect("QEMU speaks JSON"),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("QEMU's monitor is silent: {error}, events before: {:?}", self.events),
            }
        }
    }
}
