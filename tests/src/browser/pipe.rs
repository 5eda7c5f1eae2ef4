//! The pipes to the browser: questions in JSON one way, answers and events the other, each ended by a zero byte
//! (the Chrome DevTools Protocol).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Both pipes.
pub(super) struct Pipe {
    commands: ChildStdin,
    messages: Receiver<Value>,
    asked: u64,
    /// Everything that arrived and was not an answer.
    pub(super) events: Vec<Value>,
}

impl Pipe {
    pub(super) fn new(child: &mut Child) -> Self {
        let commands = child.stdin.take().expect("standard input is a pipe");
        let mut answers = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|count| count > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).unwrap_or(Value::Null);
                message.clear();
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self { commands, messages, asked: 0, events: Vec::new() }
    }

    /// Sends a question, keeps the events that arrive meanwhile, and returns the answer, or the reason why there is none.
    pub(super) fn ask(
        &mut self,
        session: &str,
        method: &str,
        parameters: &Value,
        patience: Duration,
    ) -> Result<Value, String> {
        self.asked += 1;
        let mut question = json!({ "id": self.asked, "method": method, "params": parameters });
        if !session.is_empty() {
            question["sessionId"] = session.into();
        }
        self.commands.write_all(format!("{question}\0").as_bytes()).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).map_err(|error| error.to_string())?;
            if message["id"] != self.asked {
                self.events.push(message);
            } else if message["error"] == Value::Null {
                return Ok(message["result"].clone());
            } else {
                return Err(message["error"].to_string());
            }
        }
    }
}
