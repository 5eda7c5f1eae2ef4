//! Executes the commands of the control socket. A source answers those that concern it.

use std::path::Path;

use ekey_control::status::ForgetReason;
use ekey_control::{Command, Reply};
use mio::event::Event;

use super::Daemon;

impl Daemon {
    pub(super) fn handle_control(&mut self, event: &Event) {
        if let Some(asked) = self.control.handle(event, self.poll.registry()) {
            let reply = self.execute(&asked.command);
            self.control.answer(&asked, &reply, self.poll.registry());
        }
    }

    fn execute(&mut self, command: &Command) -> Reply {
        if let Some(reply) = self.sources.iter_mut().find_map(|source| source.command(command)) {
            return reply;
        }
        match command {
            Command::Keyring(path) => match self.read_keyring(Path::new(path)) {
                Ok(count) => {
                    self.sources.iter().for_each(|source| source.keyring_changed());
                    Reply::ok_with(format!("{count} key(s)"))
                }
                Err(error) => Reply::error(error),
            },
            Command::Forget => {
                let wiped = self.forget(ForgetReason::Command);
                Reply::ok_with(format!("{wiped} bytes wiped"))
            }
            Command::Shutdown => {
                self.stopping = true;
                Reply::ok()
            }
            Command::History => json(self.observatory.history().to_json()),
            Command::Status => json(self.status().to_json()),
            _ => Reply::error("no source of this daemon answers that command"),
        }
    }
}

fn json<E: std::fmt::Display>(json: Result<String, E>) -> Reply {
    match json {
        Ok(json) => Reply::lines([json]),
        Err(error) => Reply::error(error),
    }
}
