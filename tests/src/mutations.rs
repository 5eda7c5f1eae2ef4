//! Nearly right lines and files.

/// How many lines a test sends.
pub const LINES: u32 = 10_000;

/// What people send to the control socket, before mutation.
pub const STATEMENTS: [&str; 12] = [
    "ListEntropyKeys",
    "ListEntropyKeys()",
    "StatEntropyKey(\"NwBvBlg3OTBJORFD\")",
    "StatEntropyKey(1)",
    "RemoveEntropyKey(\"no such key\")",
    "AddEntropyKey(\"/nowhere/key\", nil)",
    "AddEntropyKey(\"/nowhere/key\", \"NwBvBlg3OTBJORFD\")",
    "AddEntropyKeys [[/nowhere]]",
    "Keyring \"/nowhere/keyring\"",
    "Status -- a comment",
    "SetOutputToKernel(7); -- \\065\\x41\\z",
    "os.execute(\"touch /nowhere\")",
];

/// Returns one of `seeds` with up to five changes, sometimes something entirely different.
#[must_use]
pub fn mutated(chance: &mut Chance, seeds: &[&str]) -> String {
    let mut bytes = seeds[chance.below(seeds.len())].as_bytes().to_vec();
    if chance.below(20) == 0 {
        bytes = (0..chance.below(300)).map(|_| chance.byte()).collect();
    }
    for _ in 0..chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(6) {
            0 => bytes.insert(at, chance.byte()),
            1 => bytes.insert(at, b"\"'()[]{}-=,;\\# \n"[chance.below(16)]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            4 => bytes.truncate(at),
            _ => {
                let most = if chance.below(50) == 0 { 500 } else { 3 };
                let again = bytes[at / 2..at].repeat(1 + chance.below(most));
                bytes.splice(at..at, again);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Numbers that look random and repeat in each run (xorshift).
pub struct Chance(pub u64);

impl Chance {
    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % bound.max(1)
    }

    /// Returns any byte.
    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }
}
