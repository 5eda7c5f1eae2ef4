//! Another machine's EGD servers, which send anything: a byte of theirs is entropy only if it was asked for, after the greeting.

use std::time::Duration;

use ekeyd::fuzzing::{ClientBench, ClientStep, Heard};

use crate::choices::Choices;

/// What the conversation has come to, as an outsider counts it.
#[derive(Default)]
struct Seen {
    connected: bool,
    connecting: bool,
    greeted: bool,
    /// Bytes asked for that have not come.
    due: usize,
}

/// Any behaviour of up to four servers.
pub fn egd_client(data: &[u8]) {
    let mut choices = Choices::new(data);
    let servers = 1 + choices.below(4);
    let (mut bench, mut seen) = (ClientBench::new(servers), Seen::default());
    while !choices.is_empty() {
        match choices.below(7) {
            0 => bench.pass(Duration::from_millis(u64::from(choices.word()) * 10)),
            1 => bench.want(usize::from(choices.word() & 0x1fff)),
            2 if seen.connecting => {
                bench.connected();
                seen = Seen { connected: true, ..Seen::default() };
            }
            3 if seen.connecting || seen.connected => {
                bench.failed();
                seen = Seen::default();
            }
            4 if seen.connected => hear(&mut bench, &mut seen, &[0, 0, 1, choices.byte()]),
            5 if seen.connected => hear(&mut bench, &mut seen, choices.some(255)),
            6 if seen.connected && seen.due > 0 => {
                let due = vec![5; seen.due];
                hear(&mut bench, &mut seen, &due);
            }
            _ => {}
        }
        proceed(&mut bench, &mut seen, servers);
    }
}

fn hear(bench: &mut ClientBench, seen: &mut Seen, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    match bench.receive(bytes) {
        Heard::Entropy => {
            assert!(seen.greeted, "entropy of something that has not greeted as an EGD server");
            assert!(bytes.len() <= seen.due, "{} bytes are taken, asked for were {}", bytes.len(), seen.due);
            seen.due -= bytes.len();
        }
        Heard::Greeting => {
            assert!(!seen.greeted && bytes.len() <= 4, "a greeting of {} bytes", bytes.len());
            let printable = bytes.len() == 4 && bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
            assert!(!printable, "text is taken for a greeting: {bytes:?}");
            seen.greeted = true;
        }
        Heard::Nothing => assert!(!seen.greeted && bytes.len() < 4, "{bytes:?} is passed over"),
        Heard::Refused => *seen = Seen::default(),
    }
}

/// Does what the conversation wants until it waits.
fn proceed(bench: &mut ClientBench, seen: &mut Seen, servers: usize) {
    for steps in 0.. {
        assert!(steps < 10, "it never waits");
        match bench.next() {
            ClientStep::Connect(server) => {
                assert!(server < servers && !seen.connected && !seen.connecting, "server {server} of {servers}");
                seen.connecting = true;
            }
            ClientStep::Greet => assert!(seen.connected && !seen.greeted, "asks for a greeting at the wrong time"),
            ClientStep::Ask(count) => {
                assert!(seen.greeted && seen.due == 0 && count > 0, "asks for {count} while {} are due", seen.due);
                seen.due = count.into();
            }
            ClientStep::Fail => *seen = Seen::default(),
            ClientStep::Wait(until) => {
                assert!(until != Some(Duration::ZERO), "it waits for a time that has come");
                // A server that was asked has a time limit, and so has a rest.
                let idle = seen.connecting || (seen.greeted && seen.due == 0);
                assert!(idle || until.is_some(), "it would wait for ever");
                return;
            }
        }
    }
}
