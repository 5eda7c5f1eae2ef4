//! NIST's known answers, and that the state is wiped.

use super::*;

const ANSWERS: &str = include_str!("../../../tests/vectors/CTR_DRBG.rsp");

/// One case: its section, and each name with its values in their order.
#[derive(Default)]
struct Case {
    section: String,
    values: Vec<(String, Vec<u8>)>,
}

impl Case {
    fn all(&self, name: &str) -> Vec<&[u8]> {
        self.values.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_slice()).collect()
    }

    fn one(&self, name: &str) -> &[u8] {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {}", self.section);
        all[0]
    }

    /// Computes an answer as CAVP does: two requests of the same length, of which the second counts. A reseed comes before both, or
    /// before each (prediction resistance), or not at all.
    fn answer(&self) -> Vec<u8> {
        let (entropy, nonce, name) = (self.one("EntropyInput"), self.one("Nonce"), self.one("PersonalizationString"));
        let with_df = self.section.contains("use df");
        let mut drbg = if with_df {
            Drbg::instantiate(entropy, nonce, name)
        } else {
            // 10.2.1.3.1: the personalization string, if there is one, is added to a seed that is as long.
            let mut seed: [u8; SEED_LEN] = entropy.try_into().unwrap();
            seed.iter_mut().zip(name).for_each(|(byte, name)| *byte ^= name);
            Drbg::with_seed(&seed)
        };
        let reseed = |drbg: &mut Drbg, entropy: &[u8]| {
            if with_df { drbg.reseed(entropy) } else { drbg.update(entropy.try_into().unwrap()) }
        };
        self.all("EntropyInputReseed").into_iter().for_each(|entropy| reseed(&mut drbg, entropy));
        let mut out = vec![0; self.one("ReturnedBits").len()];
        for request in 0..2 {
            if let Some(entropy) = self.all("EntropyInputPR").get(request) {
                reseed(&mut drbg, entropy);
            }
            drbg.generate(&mut out, &[]);
        }
        out
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut section = String::new();
    for line in ANSWERS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with("[AES-256") {
            section.clear();
        }
        match line.split_once('=') {
            _ if line.starts_with('[') => section.push_str(line),
            Some(("COUNT ", _)) => cases.push(Case { section: section.clone(), ..Case::default() }),
            Some((name, digits)) => {
                let value = (0..digits.trim().len() / 2)
                    .map(|at| u8::from_str_radix(&digits.trim()[at * 2..at * 2 + 2], 16).unwrap())
                    .collect();
                cases.last_mut().unwrap().values.push((name.trim().to_owned(), value));
            }
            None => panic!("{line}"),
        }
    }
    cases
}

#[test]
fn nists_known_answers_come_out() {
    let cases = cases();
    let of = |what: &str| cases.iter().filter(|case| case.section.contains(what)).count();
    assert_eq!((cases.len(), of("use df"), of("no df"), of("PredictionResistance = True")), (180, 90, 90, 60));
    for (number, case) in cases.iter().enumerate() {
        assert_eq!(case.answer(), case.one("ReturnedBits"), "case {number}, {}", case.section);
    }
}

#[test]
fn the_state_steps_on_with_each_request_and_is_wiped() {
    fn is_wiped_when_dropped(_: &impl ZeroizeOnDrop) {}
    let mut drbg = Drbg::instantiate(&[1; 64], &[2; 32], b"");
    is_wiped_when_dropped(&*drbg);
    let before = (drbg.key, drbg.counter);
    let (mut one, mut other) = ([0; 1000], [0; 1000]);
    drbg.generate(&mut one, &[]);
    assert!(before.0 != drbg.key && before.1 != drbg.counter, "the key and the counter are as they were");
    drbg.generate(&mut other, &[]);
    assert_ne!(one, other);
    drbg.zeroize();
    assert_eq!((drbg.key, drbg.counter), ([0; KEY_LEN], 0));
}
