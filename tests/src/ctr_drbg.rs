//! CTR_DRBG of SP 800-90A Rev. 1 with AES-256 and the derivation function, made of `openssl enc`: an independent check
//! of what the daemon makes of a seed.

use std::io::Write as _;
use std::process::{Command, Stdio};

const BLOCK: usize = 16;
/// Bytes of a key and a counter.
const SEED: usize = 48;

/// Returns what a generator with this seed gives to requests of these lengths, multiples of 16, each with the same
/// additional input, which may be empty.
///
/// # Panics
/// When openssl is not there or fails.
#[must_use]
pub fn given(
    entropy: &[u8],
    nonce: &[u8],
    personalization: &[u8],
    additional: &[u8],
    requests: &[usize],
) -> Vec<Vec<u8>> {
    let mut state = added(&[0; SEED], &derived(&[entropy, nonce, personalization].concat()));
    let mut given = Vec::new();
    for count in requests {
        let mut provided = vec![0; SEED];
        if !additional.is_empty() {
            provided = derived(additional);
            state = added(&state, &provided);
        }
        let stream = added(&state, &[&vec![0; *count], &provided[..]].concat());
        given.push(stream[..*count].to_vec());
        state = stream[*count..].to_vec();
    }
    given
}

/// Adds the key stream of a state, its key and its counter, to `input` (10.2.1.2).
fn added(state: &[u8], input: &[u8]) -> Vec<u8> {
    let (key, counter) = state.split_at(32);
    let counter = u128::from_be_bytes(counter.try_into().expect("a block")).wrapping_add(1);
    openssl("aes-256-ctr", key, counter, input)
}

/// Computes Block_Cipher_df, 10.3.2.
fn derived(input: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).expect("a short input").to_be_bytes();
    let mut padded = [&length(input.len()), &length(SEED), input, &[0x80]].concat();
    padded.resize(padded.len().next_multiple_of(BLOCK), 0);
    let key: Vec<u8> = (0..32).collect();
    let halfway: Vec<u8> = (0..3_u32)
        .flat_map(|number| {
            let first = [&number.to_be_bytes()[..], &[0; 12]].concat();
            let chain = openssl("aes-256-cbc", &key, 0, &[first, padded.clone()].concat());
            chain[chain.len() - BLOCK..].to_vec()
        })
        .collect();
    let start = u128::from_be_bytes(halfway[32..].try_into().expect("a block"));
    // Encrypting a block again and again is CBC over zeros.
    openssl("aes-256-cbc", &halfway[..32], start, &[0; SEED])
}

fn openssl(mode: &str, key: &[u8], start: u128, input: &[u8]) -> Vec<u8> {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["enc", &format!("-{mode}"), "-nopad", "-K", &key, "-iv", &format!("{start:032x}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    openssl.stdin.take().expect("a pipe").write_all(input).expect("openssl reads");
    let output = openssl.wait_with_output().expect("openssl ends");
    assert!(output.status.success() && output.stdout.len() == input.len(), "openssl enc -{mode}: {}", output.status);
    output.stdout
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn nists_first_test_case_passes() {
        let path = tree::root().join("ekeyd/tests/vectors/CTR_DRBG.rsp");
        let text = std::fs::read_to_string(path).expect("the known answers");
        let value = |name: &str| -> Vec<u8> {
            let digits =
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).expect("the first case");
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
            (0..digits.len()).step_by(2).map(byte).collect()
        };
        let given = given(&value("EntropyInput"), &value("Nonce"), b"", b"", &[64, 64]);
        assert_eq!(given[1], value("ReturnedBits"));
    }
}
