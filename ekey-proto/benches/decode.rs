//! Frames a second that this crate alone finds, verifies and unmasks, beside what the four Threefish calls of a frame
//! cost by themselves. Run with `cargo bench -p ekey-proto`.

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use ekey_proto::crypt::{LongTermKey, SessionCrypt};
use ekey_proto::session::{Event, Output, Session, Timings};
use ekey_proto::wire::{DeviceEntropy, Frame, MaskedEntropy, PacketKind, SubCode};
use ekey_proto::{Framer, Instant, Nonce, Serial};

const FRAMES: u16 = 4096;
const ROUNDS: usize = 50;
/// Held by the unit test `an_entropy_frame_costs_four_threefish_calls`.
const CALLS_PER_FRAME: u32 = 4;
/// One mask is the hash of one block and the output stage.
const CALLS_PER_MASK: u32 = 2;

fn main() {
    let bench = Bench::new();
    let mask = bench.best(|| {
        for sequence in 0..FRAMES {
            let entropy = MaskedEntropy { sequence: SubCode::new(sequence), bytes: [0; 32] };
            black_box(bench.crypt.apply_mask(&entropy));
        }
    });
    let decode = bench.best(|| {
        let (mut framer, mut rest, mut blocks) = (Framer::new(), &bench.stream[..], 0);
        while let Some(frame) = framer.next_frame(&mut rest) {
            let packet = bench.crypt.verify(&frame).expect("every frame verifies");
            black_box(bench.crypt.unmask(packet).expect("every frame is entropy"));
            blocks += 1;
        }
        assert_eq!(blocks, FRAMES);
    });
    let session = bench.best(|| assert_eq!(bench.run_session(), u32::from(FRAMES)));

    let limit = mask * CALLS_PER_FRAME / CALLS_PER_MASK;
    println!("                            ns a frame   frames a second   of the limit");
    row("four Threefish calls alone", limit, limit);
    row("framer, MAC, unmask", decode, limit);
    row("whole session", session, limit);
    println!("Threefish calls a frame: {CALLS_PER_FRAME}");
}

fn row(what: &str, time: Duration, limit: Duration) {
    let nanoseconds = time.as_secs_f64() * 1e9 / f64::from(FRAMES);
    let ratio = time.as_secs_f64() / limit.as_secs_f64();
    println!("{what:27} {nanoseconds:10.0} {:17.0} {ratio:13.2}x", 1e9 / nanoseconds);
}

/// A whole session's worth of frames, and the key that they are under.
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

    /// The shortest of several runs: what else the machine does only makes them longer.
    fn best(&self, work: impl Fn()) -> Duration {
        let time = |_| {
            let start = Clock::now();
            work();
            start.elapsed()
        };
        (0..ROUNDS).map(time).min().expect("there are rounds")
    }

    /// Runs the host's state machine over the stream, and returns the number of blocks that come out.
    fn run_session(&self) -> u32 {
        let now = Instant::after_start(Duration::ZERO);
        let mut session = Session::new(now, Some(self.serial), Timings::default());
        let mut blocks = 0;
        for mut rest in [&self.hello[..], &self.reply, &self.stream] {
            loop {
                match session.poll_output() {
                    Output::NeedNonce(_) => session.handle_nonce(now, nonce(), Some(long_term_key())),
                    Output::Event(Event::Entropy(block)) => {
                        black_box(&block);
                        blocks += 1;
                    }
                    Output::Event(_) | Output::Write(_) => {}
                    Output::WaitUntil(_) if rest.is_empty() => break,
                    Output::WaitUntil(_) => rest = &rest[session.handle_input(now, rest)..],
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
