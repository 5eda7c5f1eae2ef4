//! No input makes the key panic, and `^C` always brings an `S!`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Generates bytes that often mean something to a key.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        Just(CTRL_C),
        Just(b'.'),
        proptest::sample::select(&b"KkLlMmRr"[..]),
        proptest::sample::select(&b"AQIDxyz+/="[..]),
    ];
    let nonce =
        vec(proptest::sample::select(&b"ABCDabcd"[..]), 0..6000).prop_map(|digits| [&b"K"[..], &digits, b"."].concat());
    prop_oneof![vec(byte, 0..200), nonce]
}

proptest! {
    #[test]
    fn after_any_input_ctrl_c_brings_the_serial_number(
        packets in vec((soup(), 0_u64..2000), 1..12),
        faulty in any::<bool>(),
    ) {
        let faults: &[&str] = if faulty { &["stall:30", "wrong-serial:2", "ltk-mismatch:2", "gap:3"] } else { &[] };
        let mut host = Host::of(with_faults(faults));
        for (packet, millis) in packets {
            host.wait(Duration::from_millis(millis));
            host.key.handle_input(host.now, &packet);
            host.take();
        }
        host.key.handle_input(host.now, &[CTRL_C]);
        let raw = host.take();
        prop_assert_eq!(raw.get(..4), Some(&b"* S!"[..]));
        let heard = host.understand(&raw);
        prop_assert!(matches!(heard[0], Heard::Serial(_)), "{:?}", heard);
        prop_assert!(!heard.iter().any(|heard| matches!(heard, Heard::Wrong(_))), "{:?}", heard);
    }

    #[test]
    fn valid_input_means_the_same_in_any_pieces(cuts in vec(1_usize..8, 1..40)) {
        let words = [&b"\x03"[..], b"KAQIDBAUG.", b"mABCDEFGH", b"LAQ==.", b"k.", b"R"].concat();
        let mut whole = Host::of(Setup { rate: 1, ..setup() });
        whole.hear();
        whole.key.handle_input(whole.now, &words);
        let mut cut = Host::of(Setup { rate: 1, ..setup() });
        cut.hear();
        let mut rest = &words[..];
        for size in cuts.iter().cycle() {
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            cut.key.handle_input(cut.now, piece);
            rest = behind;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(whole.take(), cut.take());
    }
}
