//! The key on a bus, driven as a host's controller drives it.

use std::time::Duration;

use ekey_proto::Frame;
use proptest::prelude::*;

use super::descriptors::{BULK_IN, BULK_OUT};
use super::event::UsbEvent;
use super::key::UsbKey;
use super::request::Request;
use super::transfer::{Completed, Failure};
use crate::{Device, Seed, Setup};

const SOON: Duration = Duration::from_millis(50);
const SET_LINE_STATE: [u8; 8] = [0x21, 0x22, 3, 0, 0, 0, 0, 0];
const CLEAR_HALT_IN: [u8; 8] = [0x02, 0x01, 0, 0, 0x81, 0, 0, 0];
const SET_HALT_IN: [u8; 8] = [0x02, 0x03, 0, 0, 0x81, 0, 0, 0];

fn unplugged(wedge: Option<&str>) -> UsbKey {
    let setup = Setup::from_seed(Seed::from_number(7));
    let wedge = wedge.map(|text| text.parse().expect("a wedge"));
    UsbKey::new(Device::new(Setup { rate: 0, wedge, ..setup }))
}

fn configured(wedge: Option<&str>) -> UsbKey {
    let mut key = unplugged(wedge);
    key.plug(Duration::ZERO);
    key.set_configuration(Duration::ZERO, 1).expect("the configuration is there");
    open(&mut key);
    key
}

/// Reads and cancels at once, so that the key answers later reads at once.
fn open(key: &mut UsbKey) {
    key.read(Duration::ZERO, 0, 64).expect("can be read");
    key.cancel(Duration::ZERO, 0).expect("nothing was there yet");
}

fn control(key: &mut UsbKey, request: [u8; 8]) -> Result<Vec<u8>, Failure> {
    key.control(SOON, &Request::from_bytes(request), &[])
}

/// Lets the key speak until it has no more to say or the host does not ask. Returns the completed transfers.
fn serve(key: &mut UsbKey, now: Duration) -> Vec<Completed> {
    let mut done = Vec::new();
    loop {
        done.extend(std::iter::from_fn(|| key.next_completed(now)));
        if key.speak(now).is_none() {
            return done;
        }
    }
}

/// Returns whether the key answers `^C`.
fn answers(key: &mut UsbKey, now: Duration) -> bool {
    key.write(900, vec![3]).expect("can be written");
    key.read(now, 901, 64).expect("can be read");
    let answered = serve(key, now + SOON).iter().any(|done| done.id == 901 && done.failure.is_none());
    key.cancel(now + SOON, 901);
    answered
}

#[test]
fn a_packet_of_64_bytes_does_not_end_a_longer_read() {
    let mut key = configured(None);
    key.write(1, vec![3]).unwrap();
    key.read(SOON, 2, 64).unwrap();
    let done = serve(&mut key, SOON);
    let serial = done.iter().find(|done| done.id == 2).expect("the answer is there");
    assert_eq!((serial.length, serial.failure), (64, None));
    assert!(Frame::from_bytes(&serial.data.clone().try_into().unwrap()).is_some(), "{:?}", serial.data);

    // A request for a session: a full packet, and fewer bytes than the read asks for.
    let later = Duration::from_millis(700);
    key.read(SOON, 3, 1024).unwrap();
    assert_eq!(serve(&mut key, later), [], "a read of 1024 bytes waits for more");
    let held = key.cancel(later, 3).expect("still waits").data.len();
    assert!(held > 0 && held.is_multiple_of(64), "it holds {held} bytes");
}

#[test]
fn the_next_read_gets_a_cancelled_reads_bytes() {
    let mut key = configured(None);
    key.read(SOON, 1, 4096).unwrap();
    serve(&mut key, SOON);
    let had = key.cancel(SOON, 1).unwrap().data;
    assert!(had.len() >= 64, "{} bytes", had.len());
    key.put_back(&had);
    key.read(SOON, 2, 64).unwrap();
    assert_eq!(serve(&mut key, SOON)[0].data, had[..64]);
}

#[test]
fn a_short_packet_or_a_full_buffer_ends_a_read() {
    let mut key = configured(None);
    key.put_back(&[7; 100]);
    key.read(SOON, 1, 512).unwrap();
    let done = serve(&mut key, SOON);
    assert_eq!((done[0].id, done[0].length, done[0].failure), (1, 100, None), "64 and 36");
    key.put_back(&[7; 256]);
    key.read(SOON, 2, 128).unwrap();
    key.read(SOON, 3, 128).unwrap();
    let done = serve(&mut key, SOON).iter().map(|done| (done.id, done.length)).collect::<Vec<_>>();
    assert_eq!(done, [(2, 128), (3, 128)]);
}

#[test]
fn a_read_without_room_for_a_packet_babbles() {
    let mut key = configured(None);
    key.put_back(&[7; 64]);
    key.read(SOON, 1, 10).unwrap();
    let done = serve(&mut key, SOON);
    assert_eq!((done[0].length, done[0].failure), (10, Some(Failure::Babble)));
}

#[test]
fn a_reopened_key_is_quiet_while_its_tty_becomes_raw() {
    let mut key = configured(None);
    key.put_back(&[7; 64]);
    key.read(SOON, 1, 64).unwrap();
    assert_eq!(serve(&mut key, SOON).len(), 1, "the host has not closed it");
    let later = SOON + Duration::from_secs(1);
    key.put_back(&[7; 64]);
    key.read(later, 2, 64).unwrap();
    assert_eq!((serve(&mut key, later), key.next_output()), (vec![], Some(later + SOON)));
    assert_eq!(serve(&mut key, later + SOON).len(), 1);
}

#[test]
fn without_a_configuration_endpoints_stall() {
    let mut key = unplugged(None);
    key.plug(SOON);
    assert_eq!(key.read(SOON, 1, 64), Err(Failure::Stall));
    assert_eq!(key.write(2, vec![3]), Err(Failure::Stall));
    assert_eq!(key.await_notification(SOON, 3), Err(Failure::Stall));
    assert_eq!(key.set_configuration(SOON, 2), Err(Failure::Stall), "there is only configuration 1");
}

#[test]
fn a_halted_endpoint_stalls_until_it_is_cleared() {
    let mut key = configured(None);
    key.read(SOON, 1, 64).unwrap();
    control(&mut key, SET_HALT_IN).unwrap();
    assert_eq!(serve(&mut key, SOON)[0].failure, Some(Failure::Stall), "the read that waits");
    assert_eq!(key.read(SOON, 2, 64), Err(Failure::Stall), "and the next one");
    assert_eq!(control(&mut key, [0x82, 0, 0, 0, BULK_IN, 0, 2, 0]).unwrap(), [1, 0], "its status");
    assert_eq!(control(&mut key, [0x82, 0, 0, 0, BULK_OUT, 0, 2, 0]).unwrap(), [0, 0], "that of the other one");
    control(&mut key, CLEAR_HALT_IN).unwrap();
    key.read(SOON, 3, 64).unwrap();
    assert_eq!(serve(&mut key, SOON)[0].failure, None);
}

#[test]
fn line_state_crashes_the_key_until_a_replug() {
    let mut key = configured(None);
    let coding = [0x00, 0xc2, 0x01, 0, 0, 0, 8];
    let set = Request::from_bytes([0x21, 0x20, 0, 0, 0, 0, 7, 0]);
    key.control(SOON, &set, &coding).unwrap();
    assert_eq!(key.control(SOON, &set, &coding[1..]), Err(Failure::Stall), "six bytes");
    assert_eq!(control(&mut key, [0xa1, 0x21, 0, 0, 0, 0, 7, 0]).unwrap(), coding);
    assert!(answers(&mut key, SOON));

    control(&mut key, SET_LINE_STATE).unwrap();
    key.reset(SOON);
    for value in [1, 0, 1] {
        key.set_configuration(SOON, value).unwrap();
    }
    assert!(!answers(&mut key, SOON), "neither a reset nor a re-enumeration helps");
    key.pull();
    key.plug(SOON);
    key.set_configuration(SOON, 1).unwrap();
    assert!(answers(&mut key, SOON));
    assert_eq!((key.counts().line_states, key.counts().plugged_in), (1, 2));
}

#[test]
fn only_its_own_step_or_a_stronger_one_cures_a_wedge() {
    // Each gets the time.
    type Step = fn(&mut UsbKey, Duration);
    let reopen: Step = |key, now| {
        key.read(now, 1, 64).unwrap();
        key.cancel(now, 1);
    };
    let reset: Step = |key, now| {
        key.reset(now);
        key.set_configuration(now, 1).unwrap();
    };
    let enumerate: Step = |key, now| {
        key.set_configuration(now, 0).unwrap();
        key.set_configuration(now, 1).unwrap();
    };
    let replug: Step = |key, now| {
        key.pull();
        key.plug(now);
        key.set_configuration(now, 1).unwrap();
    };
    let steps = [
        ("until-reopen", reopen),
        ("until-usb-reset", reset),
        ("until-re-enumeration", enumerate),
        ("until-replug", replug),
    ];
    for (at, (wedge, _)) in steps.iter().enumerate() {
        let mut key = configured(Some(wedge));
        for (other, (step, act)) in steps.iter().enumerate() {
            let now = Duration::from_secs(1 + other as u64);
            act(&mut key, now);
            let revived = answers(&mut key, now + Duration::from_millis(500));
            assert_eq!(revived, other >= at, "{wedge}: after {step}");
        }
    }
}

#[test]
fn setting_a_configuration_twice_revives_nothing() {
    for wedge in ["until-re-enumeration", "until-reopen"] {
        let mut key = configured(Some(wedge));
        key.set_configuration(SOON, 1).unwrap();
        for _ in 0..50 {
            assert!(!answers(&mut key, SOON), "{wedge}");
        }
    }
}

#[test]
fn asking_for_notifications_again_is_a_reopen() {
    let mut key = configured(Some("until-reopen"));
    key.await_notification(SOON, 1).unwrap();
    assert!(!answers(&mut key, SOON), "the first opening");
    assert!(key.cancel(SOON, 1).is_some());
    key.await_notification(SOON, 2).unwrap();
    assert!(answers(&mut key, SOON), "the second");
}

#[test]
fn a_reset_ends_transfers_and_drops_output() {
    let mut key = configured(None);
    key.put_back(&[7; 512]);
    key.set_address(5);
    key.read(SOON, 1, 64).unwrap();
    key.reset(SOON);
    assert_eq!((key.configuration(), key.address()), (0, 0));
    assert_eq!(serve(&mut key, SOON)[0].failure, Some(Failure::Cancelled));
    key.set_configuration(SOON, 1).unwrap();
    key.read(SOON, 2, 64).unwrap();
    key.write(3, vec![3]).unwrap();
    assert_ne!(serve(&mut key, SOON)[0].data, [7; 64]);
    let resets = key.take_events().into_iter().filter(|event| matches!(event, UsbEvent::Reset(1))).count();
    assert_eq!(resets, 1);
}

#[test]
fn a_key_without_a_reader_takes_a_limited_amount() {
    let mut key = configured(None);
    key.write(1, vec![3; 64 * 1024]).unwrap();
    assert_eq!(key.next_completed(SOON), None, "it has too much to answer");
    let mut answers = 0;
    for id in 2..100_000 {
        key.read(SOON, id, 64).unwrap();
        let done = serve(&mut key, SOON);
        answers += 1;
        if done.iter().any(|done| done.id == 1) {
            break;
        }
    }
    assert!(answers > 60_000, "the write was done after {answers} answers of 64 K");
    for id in 0..256 {
        key.read(SOON, id, 1 << 20).unwrap();
    }
    assert_eq!(key.read(SOON, 256, 64), Err(Failure::TooMuch));
}

proptest! {
    #[test]
    fn no_control_request_breaks_it(requests in proptest::collection::vec((any::<[u8; 8]>(), any::<[u8; 7]>()), 1..200)) {
        let mut key = configured(None);
        for (bytes, data) in requests {
            let request = Request::from_bytes(bytes);
            if let Ok(answer) = key.control(SOON, &request, &data) {
                prop_assert!(answer.len() <= usize::from(request.length));
            }
            let _ = key.take_events();
        }
    }

    #[test]
    fn any_reads_get_the_bytes_in_order_and_once(
        reads in proptest::collection::vec((1_usize..40, any::<bool>()), 1..60),
    ) {
        let mut key = configured(None);
        let sent = (0..64_u32 * 500).map(|at| (at / 64) as u8).collect::<Vec<_>>();
        key.put_back(&sent);
        let mut seen = Vec::new();
        for (packets, cancelled) in reads {
            if seen.len() + 64 * packets > sent.len() {
                break;
            }
            key.read(SOON, 1, 64 * packets).unwrap();
            if cancelled {
                let left = key.cancel(SOON, 1).expect("it waits");
                key.put_back(&left.data);
            }
            seen.extend(serve(&mut key, SOON).into_iter().flat_map(|done| done.data));
        }
        prop_assert_eq!(&seen[..], &sent[..seen.len()]);
    }
}
