//! Information frames (`I>`): the key's report on its own health.
//!
//! A frame holds blocks separated by spaces. A block is a letter and decimal numbers separated by colons.
//! Source: firmware-notes/protocol.md, "Information".

/// What one information frame states. A frame may hold any of the blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Info {
    /// `T`: temperature of the key's core, in 0.1 K.
    pub temperature: Option<u32>,
    /// `V`: supply voltage, in mV.
    pub voltage: Option<u32>,
    /// `F`: the key's own FIPS 140-2 tests.
    pub fips: Option<FipsCounts>,
    /// `S`: the state of the generators.
    pub generators: Option<GeneratorState>,
    /// Blocks with an unknown letter.
    pub unknown_blocks: u32,
}

/// The key's FIPS 140-2 tests on blocks of 20,000 bits, counted since the key last reset its counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FipsCounts {
    /// Blocks tested.
    pub blocks: u32,
    /// Blocks that failed any test.
    pub failures: u32,
    /// Blocks that failed the monobit test.
    pub monobit: u32,
    /// Blocks that failed the poker test.
    pub poker: u32,
    /// Blocks that failed the runs test.
    pub runs: u32,
}

/// The generators as the key sees them. An estimate is in bits (shannons) over the stated number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratorState {
    /// Bytes read from each generator in this snapshot.
    pub raw_bytes: u32,
    /// Estimate for the left generator.
    pub left: u32,
    /// Estimate for the right generator.
    pub right: u32,
    /// Estimate for the two XORed: low if they are correlated.
    pub xor: u32,
    /// Bytes of the left stream after debiasing.
    pub debiased_left_bytes: u32,
    /// Estimate for them.
    pub debiased_left: u32,
    /// Bytes of the right stream after debiasing.
    pub debiased_right_bytes: u32,
    /// Estimate for them.
    pub debiased_right: u32,
    /// Why the key stopped itself, if it did.
    pub badness: Badness,
}

/// Why a key stopped itself. Only power-down clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Badness(u8);

impl Badness {
    /// `0`: the key found nothing wrong.
    pub const NONE: Self = Self(b'0');
    /// The key stopped but gave no reason (a `B>` frame, no `S` block so far).
    pub const UNSTATED: Self = Self(b'?');

    /// Wraps the key's character.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// Returns the character that the key sends: `0` to `9`, `A`, `B`; `?` if it gave no reason.
    #[must_use]
    pub const fn code(self) -> char {
        self.0 as char
    }
}

/// An information frame that breaks its grammar: the key is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed `{block}` block in an information frame")]
pub struct InfoError {
    /// The letter of the block.
    pub block: char,
}

impl Info {
    /// Parses the payload of an information frame.
    ///
    /// # Errors
    /// [`InfoError`] names the block that lacks a number, has one too many, or holds something else.
    pub fn parse(payload: &[u8]) -> Result<Self, InfoError> {
        let mut info = Self::default();
        for block in payload.split(|byte| *byte == b' ').filter(|block| !block.is_empty()) {
            let (letter, rest) = (block[0], &block[1..]);
            let malformed = InfoError { block: char::from(letter) };
            match letter {
                b'T' => info.temperature = Some(number(rest).ok_or(malformed)?),
                b'V' => info.voltage = Some(number(rest).ok_or(malformed)?),
                b'F' => info.fips = Some(FipsCounts::parse(rest).ok_or(malformed)?),
                b'S' => info.generators = Some(GeneratorState::parse(rest).ok_or(malformed)?),
                _ => info.unknown_blocks += 1,
            }
        }
        Ok(info)
    }
}

impl FipsCounts {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|byte| *byte == b':');
        let [blocks, failures, monobit, poker, runs] = numbers(&mut fields)?;
        fields.next().is_none().then_some(Self { blocks, failures, monobit, poker, runs })
    }
}

impl GeneratorState {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|byte| *byte == b':');
        let [raw_bytes, left, right, xor] = numbers(&mut fields)?;
        let [debiased_left_bytes, debiased_left, debiased_right_bytes, debiased_right] = numbers(&mut fields)?;
        let [badness] = fields.next()? else { return None };
        fields.next().is_none().then_some(Self {
            raw_bytes,
            left,
            right,
            xor,
            debiased_left_bytes,
            debiased_left,
            debiased_right_bytes,
            debiased_right,
            badness: Badness(*badness),
        })
    }
}

fn numbers<'a, const N: usize>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<[u32; N]> {
    let mut out = [0; N];
    for slot in &mut out {
        *slot = number(fields.next()?)?;
    }
    Some(out)
}

fn number(text: &[u8]) -> Option<u32> {
    let digit = |value: u32, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    };
    (!text.is_empty()).then(|| text.iter().try_fold(0, digit))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_real_key_are_read() {
        let info = Info::parse(b"T03143 V03254                                     ").unwrap();
        assert_eq!((info.temperature, info.voltage), (Some(3143), Some(3254)));

        let fips = Info::parse(b"F07342:00003:00001:00000:00002").unwrap().fips;
        assert_eq!(fips, Some(FipsCounts { blocks: 7342, failures: 3, monobit: 1, poker: 0, runs: 2 }));

        let state = Info::parse(b"S08052:23751:23792:23584:07112:20876:08063:24150:9").unwrap().generators.unwrap();
        assert_eq!((state.raw_bytes, state.xor, state.debiased_right), (8052, 23584, 24150));
        assert_eq!(state.badness.code(), '9');
    }

    #[test]
    fn a_malformed_block_is_named_in_its_error() {
        for wrong in
            ["T", "T12x", "T99999999999", "V-1", "F1:2:3:4", "F1:2:3:4:5:6", "S1:2:3:4:5:6:7:8", "S1:2:3:4:5:6:7:8:00"]
        {
            let error = Info::parse(wrong.as_bytes()).expect_err(wrong);
            assert_eq!(error.block, wrong.chars().next().unwrap());
        }
    }

    #[test]
    fn an_unknown_block_is_counted_and_skipped() {
        let info = Info::parse(b"Q1 T03000 Z").unwrap();
        assert_eq!((info.temperature, info.unknown_blocks), (Some(3000), 2));
    }
}
