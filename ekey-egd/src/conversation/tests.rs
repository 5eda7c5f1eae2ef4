//! Conversations with clients that send and read as they like: what they get, and what the counts say.

use super::*;
use proptest::prelude::*;

/// Gives its bytes oldest first, and keeps what is offered.
#[derive(Default)]
struct Shelf {
    bytes: Vec<u8>,
    offered: Vec<u8>,
}

impl Supply for Shelf {
    fn bits(&self) -> u64 {
        8 * self.bytes.len() as u64
    }

    fn held(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) {
        out.extend(self.bytes.drain(..count.min(self.bytes.len())));
    }

    fn offered(&mut self, bytes: &[u8]) {
        self.offered.extend_from_slice(bytes);
    }

    fn process(&self) -> u32 {
        4711
    }
}

/// A conversation and everything around it.
#[derive(Default)]
struct Played {
    conversation: Conversation,
    shelf: Shelf,
    served: Served,
    /// What the client has sent and the server has not read.
    coming: Vec<u8>,
    /// What the client has received.
    came: Vec<u8>,
    /// How many bytes there were to send each time that sending began.
    answers: Vec<usize>,
}

impl Played {
    fn with(bytes: impl IntoIterator<Item = u8>) -> Self {
        Self { shelf: Shelf { bytes: bytes.into_iter().collect(), ..Shelf::default() }, ..Self::default() }
    }

    /// Proceeds until there is nothing to read, or entropy is needed. Reads `piece` bytes and sends `piece` bytes at a time.
    fn run(&mut self, piece: usize) -> Step {
        loop {
            let step = self.conversation.proceed(&mut self.shelf, &mut self.served);
            match step {
                Step::Answered => {}
                Step::Send => {
                    let unsent = self.conversation.unsent();
                    let count = unsent.len().min(piece);
                    if self.conversation.sent == 0 {
                        self.answers.push(unsent.len());
                    }
                    self.came.extend_from_slice(&unsent[..count]);
                    self.conversation.sent(count, &mut self.served);
                }
                Step::Read if !self.coming.is_empty() => {
                    let room = self.conversation.room();
                    let count = self.coming.len().min(room.len()).min(piece);
                    room[..count].copy_from_slice(&self.coming[..count]);
                    self.coming.drain(..count);
                    self.conversation.received(count);
                }
                Step::Read | Step::Entropy | Step::Close => return step,
            }
        }
    }

    /// The client sends `bytes`.
    fn asks(&mut self, bytes: &[u8]) -> Step {
        self.coming.extend_from_slice(bytes);
        self.run(usize::MAX)
    }

    fn grants(&mut self) -> Step {
        self.conversation.grant(&mut self.shelf, &mut self.served);
        self.run(usize::MAX)
    }
}

#[test]
fn each_request_has_its_answer() {
    for (request, answer) in [
        (&[0x00][..], &[0, 0, 0, 40][..]),
        (&[0x01, 3], &[3, 1, 2, 3]),
        (&[0x01, 9], &[5, 1, 2, 3, 4, 5]),
        (&[0x01, 0], &[0]),
        (&[0x02, 0], &[]),
        (&[0x03, 0, 8, 2, 77, 78], &[]),
        (&[0x04], &[4, b'4', b'7', b'1', b'1']),
    ] {
        let mut played = Played::with(1..=5);
        assert_eq!(played.asks(request), Step::Read, "{request:?}");
        assert_eq!((&*played.came, played.served.requests), (answer, 1), "{request:?}");
    }
}

#[test]
fn a_blocking_request_is_granted_whole_or_not_at_all() {
    let mut played = Played::with(1..=9);
    assert_eq!(played.asks(&[0x02, 10, 0x00]), Step::Entropy);
    assert_eq!(played.grants(), Step::Entropy);
    assert_eq!((played.conversation.wanted(), &*played.came, played.served), (10, &[][..], Served::default()));
    played.shelf.bytes.extend(10..=100);
    assert_eq!(played.conversation.proceed(&mut played.shelf, &mut played.served), Step::Entropy, "it is its turn");
    assert_eq!(played.grants(), Step::Read);
    assert_eq!(played.came, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 2, 208], "the next request is answered after it");
    let served = Served { requests: 2, entropy: 10, others: 4, sent: 14, dropped: 0 };
    assert_eq!(played.served, served);
}

#[test]
fn without_entropy_a_request_goes_on_waiting() {
    let mut played = Played::default();
    assert_eq!(played.asks(&[0x02, 10]), Step::Entropy);
    assert_eq!(played.grants(), Step::Entropy);
    assert_eq!((played.conversation.wanted(), played.served), (10, Served::default()));
}

#[test]
fn an_offer_is_taken_byte_by_byte_and_has_no_answer() {
    let offer: Vec<u8> = (0..=254).collect();
    for piece in [1, 7, 64] {
        let mut played = Played::with([9]);
        played.coming = [&[0x03, 0xff, 0xff, 255], &offer[..], &[0x02, 1]].concat();
        assert_eq!(played.run(piece), Step::Entropy);
        assert_eq!((&played.shelf.offered, &*played.came), (&offer, &[][..]));
    }
}

#[test]
fn a_client_that_finishes_gets_what_it_asked_for() {
    for part in [&[][..], &[0x01], &[0x03, 0], &[0x03, 0, 0, 2, 7]] {
        let mut played = Played::with(1..=5);
        played.asks(&[&[0x02, 5, 0x00], part].concat());
        played.conversation.finish();
        assert_eq!(played.grants(), Step::Close, "{part:?} is not a whole request");
        assert_eq!(played.came, [1, 2, 3, 4, 5, 0, 0, 0, 0]);
    }
}

#[test]
fn an_unknown_command_ends_it_after_earlier_answers() {
    let mut played = Played::with(1..=5);
    assert_eq!(played.asks(&[0x00, 0x05, 0x00]), Step::Close);
    assert_eq!(played.came, [0, 0, 0, 40]);
}

#[test]
fn a_client_that_does_not_read_gets_no_further_answer() {
    let mut played = Played::with((0..20_000).map(|at| at as u8));
    let requests = [0x01, 255].repeat(100);
    let mut coming = &requests[..];
    // It is never sent anything.
    for _ in 0..1000 {
        match played.conversation.proceed(&mut played.shelf, &mut played.served) {
            Step::Read => {
                let room = played.conversation.room();
                let count = room.len().min(coming.len());
                room[..count].copy_from_slice(&coming[..count]);
                coming = &coming[count..];
                played.conversation.received(count);
            }
            Step::Answered => {}
            step => assert_eq!(step, Step::Send),
        }
        assert!(played.conversation.output.len() <= OUTPUT_LEN && played.conversation.output.capacity() <= OUTPUT_LEN);
    }
    let unsent = played.conversation.unsent().len();
    assert_eq!(unsent, 4 * 256, "four answers are enough");
    played.conversation.close(&mut played.served);
    assert_eq!(played.conversation.unsent(), [0; 0]);
    assert_eq!(played.served, Served { requests: 4, entropy: 4 * 255, others: 4, sent: 0, dropped: unsent as u64 });
}

#[test]
fn a_full_buffer_is_never_outgrown() {
    let mut played = Played::with((0..20_000).map(|at| at as u8));
    // Short of enough by one byte, then the longest answers that there are.
    for last in [&[0x01, 255][..], &[0x02, 255]] {
        let ask = [&[0x01, 255].repeat(3)[..], &[0x01, 254], last].concat();
        played.conversation.room()[..ask.len()].copy_from_slice(&ask);
        played.conversation.received(ask.len());
        while played.conversation.proceed(&mut played.shelf, &mut played.served) == Step::Answered {}
        played.conversation.grant(&mut played.shelf, &mut played.served);
        assert_eq!(played.conversation.output.capacity(), OUTPUT_LEN);
        played.run(usize::MAX);
    }
}

#[test]
fn what_was_sent_is_wiped() {
    let mut played = Played::with([0xaa; 8]);
    played.conversation.room()[..2].copy_from_slice(&[0x01, 8]);
    played.conversation.received(2);
    while played.conversation.proceed(&mut played.shelf, &mut played.served) == Step::Answered {}
    played.conversation.sent(5, &mut played.served);
    assert_eq!(played.conversation.output, [0, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa]);
    assert_eq!(played.conversation.proceed(&mut played.shelf, &mut played.served), Step::Send, "the rest goes first");
    played.conversation.sent(9, &mut played.served);
    assert_eq!((played.conversation.output.capacity(), played.served.sent), (0, 9));
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![0x00]),
        any::<u8>().prop_map(|count| vec![0x01, count]),
        any::<u8>().prop_map(|count| vec![0x02, count]),
        prop::collection::vec(any::<u8>(), 0..255)
            .prop_map(|offer| [&[0x03, 0, 8, offer.len() as u8], &offer[..]].concat()),
        Just(vec![0x04]),
    ]
}

proptest! {
    #[test]
    fn pieces_of_any_size_make_the_same_conversation(
        requests in prop::collection::vec(request(), 0..30), piece in 1..70_usize
    ) {
        let requests = requests.concat();
        let play = |piece: usize| {
            let mut played = Played::with((0..8000).map(|at| (at % 251) as u8));
            played.coming = requests.clone();
            while played.run(piece) == Step::Entropy {
                let wanted = played.conversation.wanted();
                assert_eq!(played.conversation.grant(&mut played.shelf, &mut played.served), wanted);
            }
            (played.came, played.shelf.offered, played.served)
        };
        prop_assert_eq!(play(piece), play(usize::MAX));
    }

    #[test]
    fn a_blocking_answer_leaves_in_one_piece(
        counts in prop::collection::vec(1..=255_u8, 1..30), comes in 1..300_usize, piece in 1..70_usize
    ) {
        let mut played = Played { coming: counts.iter().flat_map(|count| [0x02, *count]).collect(), ..Played::default() };
        let mut bytes = (0..).map(|at: u32| (at % 251) as u8);
        while played.run(piece) == Step::Entropy {
            if played.conversation.grant(&mut played.shelf, &mut played.served) == 0 {
                let more: Vec<u8> = bytes.by_ref().take(comes).collect();
                played.shelf.bytes.extend(more);
            }
        }
        let lengths: Vec<usize> = counts.iter().map(|count| usize::from(*count)).collect();
        prop_assert_eq!(&played.answers, &lengths, "each answer is whole when it begins to leave");
        let expected: Vec<u8> = (0..).map(|at: u32| (at % 251) as u8).take(lengths.iter().sum()).collect();
        prop_assert_eq!(played.came, expected, "each byte once and in order");
    }
}
