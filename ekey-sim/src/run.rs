//! Drives a key in real time where it plugs in, on the calling thread.

use std::time::Instant;

use crate::device::{Device, Output};
use crate::plug::{Host, Plug, Wish};
use crate::{Records, Revival, SimError, StopHandle};

/// Runs `device` until `stop` is stopped.
///
/// Its time goes on while no host is there, but it makes nothing then. What it says is made at most one block ahead of
/// what the host's side has taken, and all that the host has sent is heard before the next block is made.
///
/// # Errors
/// [`SimError`] if the place where it plugs in or one of its files fails. A host that leaves is no error.
pub fn run(
    device: &mut Device,
    plug: &mut impl Plug,
    records: &mut Records,
    stop: &StopHandle,
) -> Result<(), SimError> {
    let start = Instant::now();
    let mut output = Output::default();
    let mut sent = 0;
    let mut present = false;
    loop {
        let waiting = sent < output.bytes.len();
        let news = plug.wait(
            &Wish {
                input: device.pending_replies() < MOST_REPLIES,
                room: waiting,
                until: if present && !waiting { device.next_output().map(|at| start + at) } else { None },
            },
            stop,
        )?;
        if stop.is_stopped() {
            return Ok(());
        }
        // Only a key on USB can be pulled out and stay where it is.
        stop.take_toggles();
        if news.host != Host::Present {
            // What was meant for the host that has left is not for the next one.
            output.clear();
            sent = 0;
        }
        if news.host == Host::Reopened {
            device.handle_revival(start.elapsed(), Revival::Reopen);
        }
        present = news.host != Host::Absent;
        if !present || (news.input && !hear(device, plug, start)?) {
            continue;
        }
        if sent == output.bytes.len() {
            output.clear();
            sent = 0;
            device.produce(start.elapsed(), &mut output);
            records.keep(&output)?;
        }
        if sent < output.bytes.len() {
            sent += plug.write(&output.bytes[sent..])?;
        }
    }
}

/// Bytes of answers that may wait before the key stops listening, as a real one does by refusing USB packets.
const MOST_REPLIES: usize = 16 * 1024;
/// The largest packet on the key's USB endpoint.
const PACKET: usize = 64;

/// Hands all that the host has sent to the key. Returns whether the host is still there.
fn hear(device: &mut Device, plug: &mut impl Plug, start: Instant) -> Result<bool, SimError> {
    let mut packet = [0; PACKET];
    while device.pending_replies() < MOST_REPLIES {
        match plug.read(&mut packet)? {
            None => return Ok(false),
            Some(0) => break,
            Some(len) => device.handle_input(start.elapsed(), &packet[..len]),
        }
    }
    Ok(true)
}
