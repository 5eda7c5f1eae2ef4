//! Drives a key in real time at its plug, on the calling thread.

use std::time::Instant;

use crate::device::{Device, Output};
use crate::plug::{Host, Plug, Wish};
use crate::{Records, Revival, SimError, StopHandle};

/// Runs `device` until `stop` is stopped.
///
/// The key's time goes on without a host, but it sends nothing then. It makes at most one block more than the host has
/// taken, and handles all of the host's bytes before it makes the next one.
///
/// # Errors
/// [`SimError`] if the plug or one of the key's files fails. A host that leaves is not an error.
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
        // Only a key on USB can be unplugged and stay where it is.
        stop.take_toggles();
        if news.host != Host::Present {
            // The next host must not get what was meant for the last one.
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

/// Most bytes of answers that wait before the key stops reading, as a real one does by refusing USB packets.
const MOST_REPLIES: usize = 16 * 1024;
/// The largest packet on the key's USB endpoint.
const PACKET: usize = 64;

/// Passes all that the host has sent to the key. Returns whether the host is still there.
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
