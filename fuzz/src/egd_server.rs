//! A client of the EGD server that sends anything and reads when it likes: it gets the answers to its requests in order and
//! nothing else, no byte of entropy twice, and the books add up.

use ekeyd::fuzzing::{EgdBench, EgdNeed};

use crate::choices::Choices;

/// What the client has received must be the answers to what it has sent.
struct Expected {
    requests: Vec<u8>,
    answers: Vec<u8>,
    /// How often each byte was given to the pool, and how often it came out.
    given: [u32; 256],
    taken: [u32; 256],
}

/// Any client.
pub fn egd_server(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut bench = EgdBench::new(64 + 4 * choices.below(256), 4096);
    let mut seen = Expected { requests: Vec::new(), answers: Vec::new(), given: [0; 256], taken: [0; 256] };
    let (mut need, mut finished, mut broken) = (EgdNeed::Input, false, false);
    while !choices.is_empty() {
        match choices.below(8) {
            0 | 1 if !finished => {
                let bytes = requests(&mut choices);
                let sent = bench.send(&bytes);
                seen.requests.extend(&bytes[..sent]);
            }
            2 => {
                let first = choices.byte();
                let bytes: Vec<u8> = (0..choices.byte()).map(|at| first.wrapping_add(at)).collect();
                bytes.iter().for_each(|byte| seen.given[usize::from(*byte)] += 1);
                bench.fill(&bytes);
            }
            3 => seen.answers.extend(bench.receive(4096)),
            4 => seen.answers.extend(bench.receive(choices.below(64).max(1))),
            5 if choices.below(8) == 0 => {
                finished = true;
                bench.finish();
            }
            6 => need = bench.serve(None, choices.byte().into()),
            _ if need == EgdNeed::Entropy => need = bench.serve(Some(choices.below(80)), 4096),
            _ => need = bench.serve(None, usize::MAX),
        }
        broken |= need == EgdNeed::Close;
        add_up(&bench, &seen);
    }
    // Whatever has happened, a client that reads and a pool that is filled bring it to rest.
    for rounds in 0.. {
        assert!(rounds < 4000, "it does not come to rest: {need:?}");
        seen.answers.extend(bench.receive(4096));
        if need == EgdNeed::Entropy {
            (0..=255).for_each(|byte| seen.given[byte] += 1);
            bench.fill(&std::array::from_fn::<u8, 256, _>(|at| at as u8));
        }
        let before = (need, bench.books());
        need = bench.serve((need == EgdNeed::Entropy).then_some(64), 4096);
        add_up(&bench, &seen);
        if matches!(need, EgdNeed::Input | EgdNeed::Close) && (need, bench.books()) == before {
            break;
        }
    }
    broken |= need == EgdNeed::Close;
    seen.answers.extend(bench.receive(65_536));
    let books = bench.books();
    assert_eq!(books.sent, seen.answers.len() as u64, "sent, and received");
    let answered = seen.check();
    assert!(broken || books.unsent == 0, "{books:?}");
    assert!(answered.0 as u64 <= books.requests, "{} requests are answered, booked are {books:?}", answered.0);
    assert!(answered.1 as u64 <= books.entropy, "{} bytes came out, booked are {books:?}", answered.1);
}

/// What any client may do at any time.
fn add_up(bench: &EgdBench, seen: &Expected) {
    let books = bench.books();
    assert_eq!(books.entropy + books.others, books.sent + books.unsent + books.dropped, "{books:?}");
    let given: u64 = seen.given.iter().map(|count| u64::from(*count)).sum();
    assert!(books.entropy + books.pool <= given, "more than was there: {books:?}");
    assert!(books.unsent <= 2048, "{} bytes are kept for a client that does not read", books.unsent);
}

fn requests(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(8) {
        0 => vec![0],
        1 => vec![1, choices.byte()],
        2 => vec![2, choices.byte()],
        3 => {
            let offered = choices.some(255);
            [&[3, 0, 8, offered.len() as u8], offered].concat()
        }
        4 => vec![4],
        5 => [2, 64].repeat(choices.below(20)),
        6 => vec![0; choices.below(100)],
        _ => choices.some(60).to_vec(),
    }
}

impl Expected {
    /// Reads the answers beside the requests. Returns how many requests were answered in full, and the bytes of entropy in them.
    fn check(&mut self) -> (usize, usize) {
        let (mut requests, mut answers) = (&self.requests[..], &self.answers[..]);
        let (mut count, mut entropy) = (0, 0);
        while !requests.is_empty() && !answers.is_empty() {
            let (asked, given): (usize, &[u8]) = match *requests {
                [0, ..] => {
                    let Some((bits, rest)) = answers.split_first_chunk::<4>() else { break };
                    assert!(u32::from_be_bytes(*bits) <= 8 * 2048, "more bits than the pool is large");
                    answers = rest;
                    (1, &[])
                }
                [1, most, ..] => {
                    let given = answers[0];
                    assert!(given <= most, "{given} bytes to who asked for {most}");
                    let bytes = answers.get(1..=usize::from(given)).unwrap_or(&answers[1..]);
                    answers = &answers[1 + bytes.len()..];
                    (2, bytes)
                }
                [2, due, ..] => {
                    let bytes = answers.get(..usize::from(due)).unwrap_or(answers);
                    answers = &answers[bytes.len()..];
                    (2, bytes)
                }
                [3, _, _, offered, ..] => (4 + usize::from(offered), &[]),
                [4, ..] => {
                    let pid = std::process::id().to_string();
                    let due = [&[pid.len() as u8], pid.as_bytes()].concat();
                    let seen = answers.get(..due.len()).unwrap_or(answers);
                    assert_eq!(seen, &due[..seen.len()], "the process's number");
                    answers = &answers[seen.len()..];
                    (1, &[])
                }
                _ => break,
            };
            for byte in given {
                self.taken[usize::from(*byte)] += 1;
            }
            entropy += given.len();
            count += 1;
            requests = requests.get(asked..).unwrap_or_default();
        }
        assert!(answers.is_empty() || !requests.is_empty(), "{} bytes that nobody asked for", answers.len());
        for (byte, (taken, given)) in self.taken.iter().zip(self.given).enumerate() {
            assert!(*taken <= given, "byte {byte} was given {given} times and came out {taken} times");
        }
        (count, entropy)
    }
}
