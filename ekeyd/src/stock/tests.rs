//! What holds for the stock in every order of puts and takes.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const KEYS: [SourceId; 3] = [SourceId::key(1), SourceId::key(2), SourceId::key(3)];

fn stock(capacity: usize) -> Stock {
    Stock::new(capacity, None)
}

fn combining(capacity: usize) -> Stock {
    let mut stock = Stock::new(capacity, Some(Combiner::new().expect("/dev/urandom")));
    stock.note_delivering(KEYS.to_vec());
    stock
}

fn put(stock: &mut Stock, from: SourceId, trust: Trust, bytes: &[u8]) {
    stock.put(&Delivery::fit(from, trust, trust == Trust::Proven, bytes));
}

fn taken(stock: &mut Stock, count: usize, end: End, need: Need) -> Vec<u8> {
    let mut out = Vec::new();
    let taken = stock.take(count, end, need, &mut out);
    assert_eq!(taken, out.len());
    out
}

#[test]
fn bytes_are_taken_from_either_end() {
    let mut stock = stock(4096);
    put(&mut stock, KEYS[0], Trust::Proven, &(0..10).collect::<Vec<u8>>());
    assert_eq!(taken(&mut stock, 3, End::Freshest, Need::Any), [7, 8, 9]);
    assert_eq!(taken(&mut stock, 4, End::Oldest, Need::Any), [0, 1, 2, 3]);
    assert_eq!(stock.held(Need::Any), 3);
}

#[test]
fn forgetting_leaves_nothing_of_any_source() {
    let mut stock = combining(8 * PIECE);
    for (number, key) in (1..).zip(KEYS) {
        put(&mut stock, key, Trust::Proven, &[number; 200]);
    }
    assert_eq!(taken(&mut stock, 5, End::Freshest, Need::OfTwoKeys).len(), 5);
    assert_eq!(taken(&mut stock, 10, End::Oldest, Need::Any).len(), 10);
    let held = stock.held(Need::Any);
    assert_eq!(stock.forget(), held);
    let needs = [Need::Any, Need::Credited, Need::Proven, Need::OfTwoKeys];
    assert_eq!(needs.map(|need| stock.held(need)), [0; 4]);
    assert!(stock.memory().iter().all(|byte| *byte == 0), "bytes are left in the memory");
    stock.wipe_late(&Delivery::fit(KEYS[0], Trust::Proven, true, &[9; 32]));
    let Counters { received, overflowed, wiped } = stock.counters();
    assert_eq!((received, overflowed, wiped), (632, 0, held as u64 + 32));
    put(&mut stock, KEYS[1], Trust::Proven, &[8; 4]);
    assert_eq!(taken(&mut stock, 600, End::Oldest, Need::Any), [8; 4], "and it goes on");
}

#[test]
fn age_is_compared_over_all_sources() {
    let mut stock = stock(4096);
    put(&mut stock, KEYS[0], Trust::Proven, &[1; 4]);
    put(&mut stock, KEYS[1], Trust::Proven, &[2; 4]);
    put(&mut stock, KEYS[0], Trust::Proven, &[3; 4]);
    assert_eq!(taken(&mut stock, 4, End::Oldest, Need::Any), [1; 4]);
    put(&mut stock, KEYS[1], Trust::Proven, &[4; 4]);
    assert_eq!(taken(&mut stock, 4, End::Freshest, Need::Any)[3], 4);
}

#[test]
fn the_oldest_of_the_fullest_source_overflow() {
    let mut stock = stock(4 * PIECE);
    put(&mut stock, KEYS[0], Trust::Proven, &vec![1; PIECE]);
    put(&mut stock, KEYS[1], Trust::Proven, &vec![2; 3 * PIECE]);
    put(&mut stock, KEYS[0], Trust::Proven, &vec![3; PIECE]);
    assert_eq!(stock.counters().overflowed, PIECE as u64);
    let all = taken(&mut stock, usize::MAX, End::Oldest, Need::Any);
    let count = |byte| all.iter().filter(|seen| **seen == byte).count() / PIECE;
    assert_eq!([count(1), count(2), count(3)], [1, 2, 1]);
}

#[test]
fn a_batch_larger_than_the_stock_leaves_its_end() {
    let mut stock = stock(100);
    put(&mut stock, KEYS[0], Trust::Proven, &[vec![1; 5000], vec![2; 10]].concat());
    assert_eq!(taken(&mut stock, 10, End::Freshest, Need::Any), [2; 10]);
    let counters = stock.counters();
    assert_eq!((counters.received, counters.overflowed, stock.held(Need::Any)), (5010, 4910, 90));
}

#[test]
fn what_has_left_is_wiped_where_it_was() {
    let mut stock = stock(8 * PIECE);
    for round in 0..50 {
        put(&mut stock, KEYS[round % 3], Trust::Proven, &vec![0xaa; 700]);
        taken(&mut stock, 200, End::Freshest, Need::Any);
        taken(&mut stock, 300, End::Oldest, Need::Any);
        stock.wipe(KEYS[(round + 1) % 3], 100);
    }
    taken(&mut stock, usize::MAX, End::Oldest, Need::Any);
    assert!(stock.memory.is_clean() && stock.room() == 8 * PIECE);
}

#[test]
fn one_bad_key_of_three_costs_only_its_own_bytes() {
    let mut stock = stock(64 * 1024);
    for round in 0..10 {
        for (key, byte) in KEYS.into_iter().zip(1..) {
            put(&mut stock, key, Trust::Proven, &[byte * 16 + round; 320]);
        }
    }
    // Of the second key, 500 fresh bytes and 100 old ones have gone meanwhile.
    put(&mut stock, KEYS[1], Trust::Proven, &[0xff; 500]);
    assert_eq!(taken(&mut stock, 500, End::Freshest, Need::Any), [0xff; 500]);
    let before = stock.held(Need::Any);
    assert_eq!(stock.wipe(KEYS[1], 1200), 700, "of the last 1,200 bytes, 500 are elsewhere");
    assert_eq!(stock.counters().wiped, 700);
    assert_eq!(stock.held(Need::Any), before - 700);
    let left = taken(&mut stock, usize::MAX, End::Oldest, Need::Any);
    let of = |key: u8| left.iter().filter(|byte| **byte / 16 == key).count();
    assert_eq!([of(1), of(2), of(3)], [3200, 2500, 3200]);
    assert_eq!(stock.wipe(KEYS[2], u64::MAX), 0, "nothing is held of it");
}

#[test]
fn bytes_that_never_came_in_count_as_suspect_too() {
    let mut stock = stock(4096);
    put(&mut stock, KEYS[0], Trust::Proven, &[1; 100]);
    stock.skip(KEYS[0], 64);
    put(&mut stock, KEYS[0], Trust::Proven, &[2; 10]);
    assert_eq!(stock.wipe(KEYS[0], 80), 16);
}

#[test]
fn proven_and_combined_takes_get_no_unproven_byte() {
    let mut stock = combining(64 * 1024);
    put(&mut stock, SourceId::egd(0), Trust::Unproven, &[9; 1000]);
    put(&mut stock, KEYS[0], Trust::Proven, &[1; 100]);
    assert_eq!((stock.held(Need::Any), stock.held(Need::Proven), stock.held(Need::OfTwoKeys)), (1100, 100, 0));
    assert_eq!(stock.held(Need::Credited), 100, "of which the kernel counts only the key's");
    assert_eq!(taken(&mut stock, 500, End::Freshest, Need::Proven), [1; 100]);
    assert!(taken(&mut stock, 500, End::Freshest, Need::OfTwoKeys).is_empty());
}

#[test]
fn combined_bytes_take_as_much_of_two_keys() {
    let mut stock = combining(64 * 1024);
    put(&mut stock, KEYS[0], Trust::Proven, &[1; 480]);
    put(&mut stock, KEYS[1], Trust::Proven, &[2; 240]);
    assert_eq!(stock.held(Need::OfTwoKeys), 5 * BLOCK);
    assert_eq!(taken(&mut stock, 20, End::Freshest, Need::OfTwoKeys).len(), 20);
    assert_eq!((stock.held(Need::Any), stock.held(Need::OfTwoKeys)), (720 - 4 * OF_EACH, 5 * BLOCK - 20));
    assert_eq!(taken(&mut stock, usize::MAX, End::Freshest, Need::OfTwoKeys).len(), 60);
    assert_eq!((stock.held(Need::Any), stock.held(Need::OfTwoKeys)), (240, 0));
}

#[test]
fn a_key_that_stopped_is_not_combined() {
    let mut stock = combining(64 * 1024);
    put(&mut stock, KEYS[0], Trust::Proven, &[1; 480]);
    put(&mut stock, KEYS[1], Trust::Proven, &[2; 480]);
    stock.note_delivering(vec![KEYS[0]]);
    assert_eq!(stock.held(Need::OfTwoKeys), 0);
    stock.note_delivering(vec![KEYS[0], KEYS[2]]);
    assert_eq!(stock.held(Need::OfTwoKeys), 0, "the third key has given nothing yet");
    stock.note_delivering(vec![KEYS[0], KEYS[1]]);
    assert_eq!(stock.held(Need::OfTwoKeys), 10 * BLOCK);
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize, usize),
    Take(usize, bool),
    Wipe(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..3, 0_usize..1500).prop_map(|(key, count)| Step::Put(key, count)),
        (0_usize..2000, any::<bool>()).prop_map(|(count, freshest)| Step::Take(count, freshest)),
        (0_usize..3, 0_u64..3000).prop_map(|(key, suspect)| Step::Wipe(key, suspect)),
    ]
}

proptest! {
    /// A plain model: for each key the places in its stream that are held, in order.
    #[test]
    fn any_order_of_steps_accounts_for_each_byte(steps in prop::collection::vec(step(), 0..60)) {
        let mut stock = stock(16 * PIECE);
        let mut model: [VecDeque<u64>; 3] = Default::default();
        let mut given = [0_u64; 3];
        let mut out_bytes = 0_u64;
        for step in steps {
            match step {
                // Nothing overflows here: then the model knows what is held.
                Step::Put(key, count) if stock.room() >= count => {
                    let bytes: Vec<u8> = (given[key]..given[key] + count as u64).map(|at| place(key, at)).collect();
                    put(&mut stock, KEYS[key], Trust::Proven, &bytes);
                    model[key].extend(given[key]..given[key] + count as u64);
                    given[key] += count as u64;
                }
                Step::Put(..) => {}
                Step::Take(count, freshest) => {
                    let end = if freshest { End::Freshest } else { End::Oldest };
                    let held: Vec<usize> = stock.rings.iter().map(Ring::len).collect();
                    let out = taken(&mut stock, count, end, Need::Any);
                    prop_assert_eq!(out.len(), count.min(held.iter().sum()));
                    out_bytes += out.len() as u64;
                    for (ring, before) in stock.rings.iter().zip(held) {
                        let key = KEYS.iter().position(|id| *id == ring.from).expect("one of them");
                        for _ in ring.len()..before {
                            if freshest { model[key].pop_back() } else { model[key].pop_front() };
                        }
                    }
                }
                Step::Wipe(key, suspect) => {
                    let from = given[key].saturating_sub(suspect);
                    let before = model[key].len();
                    model[key].retain(|at| *at < from);
                    prop_assert_eq!(stock.wipe(KEYS[key], suspect), before - model[key].len());
                }
            }
            let held = stock.held(Need::Any) as u64;
            let counters = stock.counters();
            prop_assert_eq!(held, model.iter().map(|places| places.len() as u64).sum::<u64>());
            prop_assert_eq!(counters.received, held + out_bytes + counters.wiped + counters.overflowed);
        }
        for (key, places) in model.iter().enumerate() {
            let mut out = Vec::new();
            let ring = stock.rings.iter_mut().find(|ring| ring.from == KEYS[key]);
            ring.map(|ring| ring.take(usize::MAX, End::Oldest, &mut stock.memory, |bytes| out.extend_from_slice(bytes)));
            let expected: Vec<u8> = places.iter().map(|at| place(key, *at)).collect();
            prop_assert_eq!(out, expected);
        }
        prop_assert!(stock.memory.is_clean());
    }
}

/// Returns a byte that depends on its key and its place, and is never 0.
fn place(key: usize, at: u64) -> u8 {
    (at.wrapping_mul(31) as u8 ^ (key as u8) << 6) | 1
}
