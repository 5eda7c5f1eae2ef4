//! Writes a key's entropy to standard output. The file holds the key's long-term key, 44 characters:
//! `cargo run -p ekey-link --example read_a_key -- /dev/ttyACM0 FILE | xxd`

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_link::{Interrupt, Read};
use ekey_proto::session::{Output, Session, Timings};
use ekey_proto::{LongTermKey, Nonce};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [path, file] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: read_a_key KEY FILE")?;
    let start = Instant::now();
    let now = || ekey_proto::Instant::after_start(start.elapsed());
    let mut link = ekey_link::open(Path::new(&path), &Interrupt::new()?)?;
    let mut session = Session::new(now(), None, Timings::default());
    let (mut buffer, mut waiting) = ([0; 4096], 0..0);
    loop {
        match session.poll_output() {
            Output::Write(command) => {
                link.write_all(command.to_bytes().as_ref(), Instant::now() + Duration::from_secs(1))?;
            }
            Output::NeedNonce(_) => {
                let mut random = [0; 8];
                File::open("/dev/urandom")?.read_exact(&mut random)?;
                let long_term_key = LongTermKey::from_base64(fs::read(&file)?.trim_ascii())?;
                session.handle_nonce(now(), Nonce::new(0, random), Some(long_term_key));
            }
            Output::Event(event) => eprintln!("{event:?}"),
            Output::WaitUntil(_) if !waiting.is_empty() => {
                let mut entropy = Vec::new();
                let input = &buffer[waiting.clone()];
                waiting.start += session.handle_input(now(), input, |block| entropy.extend(block.as_bytes()));
                io::stdout().write_all(&entropy)?;
            }
            Output::WaitUntil(deadline) => match link.read(&mut buffer, start + deadline.since_start())? {
                Read::Bytes(count) => waiting = 0..count,
                Read::TimedOut | Read::Interrupted => session.handle_timeout(now()),
            },
        }
    }
}
