//! Runs a target without libFuzzer: its whole corpus, then random changes of it for some seconds.
//!
//! `replay TARGET FOLDER SECONDS`, for machines without a C++ compiler. It cannot tell which changes reach new code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest input, in bytes.
const LONGEST: usize = 2048;

fn main() -> ExitCode {
    ekey_fuzz::become_the_daemon();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, seconds] = &words[..] else { return usage() };
    let target = ekey_fuzz::TARGETS.iter().find(|(known, _)| known == name);
    let (Some((_, target)), Ok(seconds)) = (target, seconds.parse()) else { return usage() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut corpus: Vec<Vec<u8>> = entries.filter_map(|entry| std::fs::read(entry.path()).ok()).collect();
    corpus.push(Vec::new());
    corpus.iter().for_each(|input| target(input));
    let (end, mut runs, mut random) = (Instant::now() + Duration::from_secs(seconds), 0_u64, Random(runs_apart()));
    while Instant::now() < end {
        let input = changed(&corpus, &mut random);
        target(&input);
        runs += 1;
    }
    println!("{name}: {} inputs, {runs} changed ones in {seconds} s, no finding", corpus.len());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: replay TARGET FOLDER SECONDS");
    ExitCode::FAILURE
}

/// Returns a seed that differs from run to run.
fn runs_apart() -> u64 {
    std::process::id().into()
}

/// A fast generator of low quality (Marsaglia's xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

fn changed(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(5) {
            0 => input.insert(at, random.below(256) as u8),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input[at] ^= 1 << random.below(8),
            3 => input.truncate(at),
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let until = from + random.below(other.len() - from + 1);
                input.splice(at..at, other[from..until].iter().copied());
            }
        }
    }
    input.truncate(LONGEST);
    input
}
