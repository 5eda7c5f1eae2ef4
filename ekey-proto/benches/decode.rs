//! Measures how many frames a second this crate finds, verifies and unmasks, next to the cost of a frame's four
//! Threefish calls alone. Run it with `cargo bench -p ekey-proto`.

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use ekey_proto::crypt::{LongTermKey, Opened, SessionCrypt};
use ekey_proto::session::{Output, Session, Timings};
use ekey_proto::wire::{DeviceEntropy, Frame, PacketKind, SubCode};
use ekey_proto::{Framer, Instant, Nonce, Serial};

/// The cipher, which is private to the crate.
#[path = "../src/crypt/threefish.rs"]
mod threefish;
use threefish::Call;

const FRAMES: u16 = 4096;
const ROUNDS: usize = 50;
/// The unit test `an_entropy_frame_costs_four_threefish_calls` checks it.
const CALLS_PER_FRAME: usize = 4;

fn main() {
    let bench = Bench::new();
    let one = bench.best(threefish_calls::<1>);
    let two = bench.best(threefish_calls::<2>);
    let four = bench.best(threefish_calls::<4>);
    let decode = bench.best(|| {
        let (mut framer, mut rest, mut blocks) = (Framer::new(), &bench.stream[..], 0);
        while let Some(frame) = framer.next_frame(&mut rest) {
            let opened = black_box(bench.crypt.open(&frame));
            assert!(matches!(opened, Ok(Opened::Entropy { .. })));
            blocks += 1;
        }
        assert_eq!(blocks, FRAMES);
    });
    let session = bench.best(|| assert_eq!(bench.run_session(), u32::from(FRAMES)));

    let limit = one.min(two).min(four);
    println!("                                    ns a frame   frames a second   of the limit");
    row("four Threefish calls, one at a time", one, limit);
    row("four Threefish calls, two at a time", two, limit);
    row("four Threefish calls, four at a time", four, limit);
    row("framer, MAC, mask", decode, limit);
    row("whole session", session, limit);
}

/// Runs the Threefish calls of [`FRAMES`] frames, `LANES` at a time. Each group uses the output of the one before.
fn threefish_calls<const LANES: usize>() {
    let (mut chains, flags, blocks) = black_box(([[1, 2, 3, 4]; LANES], 5, [[6, 7, 8, 9]; LANES]));
    for position in 0..u64::from(FRAMES) * CALLS_PER_FRAME as u64 / LANES as u64 {
        let call = |lane: usize| Call { key: &chains[lane], tweak: [position, flags], block: &blocks[lane] };
        chains = threefish::encrypt(std::array::from_fn(call));
    }
    black_box(chains);
}

fn row(what: &str, time: Duration, limit: Duration) {
    let nanoseconds = time.as_secs_f64() * 1e9 / f64::from(FRAMES);
    let ratio = time.as_secs_f64() / limit.as_secs_f64();
    println!("{what:36} {nanoseconds:10.0} {:17.0} {ratio:13.2}x", 1e9 / nanoseconds);
}

/// The frames of a whole session, and its cryptography.
struct Bench {
    serial: Serial,
    crypt: SessionCrypt,
    hello: [u8; 64],
    reply: [u8; 64],
    stream: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let serial: Serial = "NwBvBlg3OTBJORFD".parse().expect("a serial");
        let zero = SessionCrypt::new(&serial, &ekey_proto::crypt::SessionKey::ZERO);
        let frame = |crypt: &SessionCrypt, content| Frame::new(content, crypt.mac(&content)).to_bytes();
        let hello = frame(&zero, PacketKind::serial_content(&serial));
        let reply = frame(&zero, PacketKind(*b"K!").binary_content(SubCode::new(12), &[7; 32]));
        let device = DeviceEntropy { nonce_len: 12, bytes: [7; 32] };
        let crypt = SessionCrypt::new(&serial, &long_term_key().session_key(&serial, &device, nonce().as_bytes()));
        let entropy = |sequence| {
            let content = PacketKind(*b"E!").binary_content(SubCode::new(sequence), &[sequence as u8; 32]);
            frame(&crypt, content)
        };
        let stream = (0..FRAMES).flat_map(entropy).collect();
        Self { serial, crypt, hello, reply, stream }
    }

    /// Returns the shortest of several runs: other load only makes a run longer.
    fn best(&self, work: impl Fn()) -> Duration {
        let time = |_| {
            let start = Clock::now();
            work();
            start.elapsed()
        };
        (0..ROUNDS).map(time).min().expect("there are rounds")
    }

    /// Runs the host's state machine over the stream. Returns the number of blocks that it delivers.
    fn run_session(&self) -> u32 {
        let now = Instant::after_start(Duration::ZERO);
        let mut session = Session::new(now, Some(self.serial), Timings::default());
        let mut blocks = 0;
        for mut rest in [&self.hello[..], &self.reply, &self.stream] {
            loop {
                match session.poll_output() {
                    Output::NeedNonce(_) => session.handle_nonce(now, nonce(), Some(long_term_key())),
                    Output::Event(_) | Output::Write(_) => {}
                    Output::WaitUntil(_) if rest.is_empty() => break,
                    Output::WaitUntil(_) => {
                        let taken = session.handle_input(now, rest, |block| {
                            black_box(block);
                            blocks += 1;
                        });
                        rest = &rest[taken..];
                    }
                }
            }
        }
        blocks
    }
}

fn long_term_key() -> LongTermKey {
    LongTermKey::from_bytes([0x4c; 32])
}

fn nonce() -> Nonce {
    Nonce::new(0, [1; 8])
}
