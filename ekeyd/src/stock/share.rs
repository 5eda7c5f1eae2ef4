//! Who gets how much: the whole policy, in one function.
//!
//! The kernel comes first. Then bulk outlets get their guaranteed share. Then come outlets with waiting clients. The rest goes to
//! bulk outlets, except for a reserve for clients that may ask soon.

use super::Need;

/// What an outlet would take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    /// Which bytes it may have.
    pub need: Need,
    /// How many.
    pub bytes: usize,
    /// When its turn comes.
    pub rank: Rank,
    /// How much to keep for clients that may ask soon, in addition to what it takes now.
    pub reserve: usize,
}

/// When an outlet's turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Before all others.
    First,
    /// Its clients wait.
    Waiting,
    /// It takes what there is, and gets `share` bytes before waiting clients get any.
    Bulk {
        /// Bytes.
        share: usize,
    },
}

/// What a stock holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// In all.
    pub any: usize,
    /// Of this, what the kernel may count as entropy.
    pub credited: usize,
    /// Of this, proven.
    pub proven: usize,
    /// What could be made of pairs of keys.
    pub of_two_keys: usize,
}

/// Returns how many bytes each outlet gets at most, in the order of `wants`.
pub(crate) fn shares(wants: &[Want], held: Held) -> Vec<usize> {
    let mut left = held;
    let mut grants = vec![0; wants.len()];
    let mut grant = |at: usize, most: usize, left: &mut Held| {
        let bytes = most.min(wants[at].bytes - grants[at]).min(left.of(wants[at].need));
        grants[at] += bytes;
        left.spend(wants[at].need, bytes);
        bytes
    };
    let ranked = |rank: Rank| (0..wants.len()).filter(move |at| wants[*at].rank == rank);
    let bulk = || {
        (0..wants.len())
            .filter_map(|at| if let Rank::Bulk { share } = wants[at].rank { Some((at, share)) } else { None })
    };
    for at in ranked(Rank::First) {
        grant(at, usize::MAX, &mut left);
    }
    for (at, share) in bulk() {
        grant(at, share, &mut left);
    }
    let mut unmet = false;
    for at in ranked(Rank::Waiting) {
        unmet |= grant(at, usize::MAX, &mut left) < wants[at].bytes;
    }
    // While clients wait, bulk outlets get only their share.
    let reserve: usize = wants.iter().map(|want| want.reserve).sum();
    for (at, _) in bulk().filter(|_| !unmet) {
        let spare = left.any.saturating_sub(reserve);
        grant(at, spare, &mut left);
    }
    grants
}

impl Held {
    fn of(&self, need: Need) -> usize {
        match need {
            Need::Any => self.any,
            Need::Credited => self.credited,
            Need::Proven => self.proven,
            Need::OfTwoKeys => self.of_two_keys,
        }
    }

    /// Subtracts a grant. Counts a byte of any kind as a credited and a proven one too, so that no grant of those fails. A byte
    /// made of two keys costs three.
    fn spend(&mut self, need: Need, bytes: usize) {
        let cost = if need == Need::OfTwoKeys { 3 * bytes } else { bytes };
        self.any = self.any.saturating_sub(cost);
        self.credited = self.credited.saturating_sub(cost);
        self.proven = self.proven.saturating_sub(cost);
        self.of_two_keys = self.of_two_keys.saturating_sub(if need == Need::OfTwoKeys { bytes } else { cost });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn want() -> impl Strategy<Value = Want> {
        let need = prop_oneof![Just(Need::Any), Just(Need::Credited), Just(Need::Proven), Just(Need::OfTwoKeys)];
        let rank =
            prop_oneof![Just(Rank::First), Just(Rank::Waiting), (0_usize..5000).prop_map(|share| Rank::Bulk { share })];
        (need, 0_usize..10_000, rank, 0_usize..5000).prop_map(|(need, bytes, rank, reserve)| Want {
            need,
            bytes,
            rank,
            reserve,
        })
    }

    fn held() -> impl Strategy<Value = Held> {
        (0_usize..20_000, 0_usize..20_000, 0_usize..20_000).prop_map(|(any, proven, two)| {
            let proven = proven.min(any);
            Held { any, credited: (any + proven) / 2, proven, of_two_keys: two.min(proven / 3) }
        })
    }

    fn sum(wants: &[Want], grants: &[usize], which: impl Fn(&Want) -> bool) -> usize {
        wants.iter().zip(grants).filter(|(want, _)| which(want)).map(|(_, bytes)| bytes).sum()
    }

    proptest! {
        #[test]
        fn nothing_beyond_what_is_held_is_granted(wants in prop::collection::vec(want(), 0..8), held in held()) {
            let grants = shares(&wants, held);
            prop_assert_eq!(grants.len(), wants.len());
            prop_assert!(wants.iter().zip(&grants).all(|(want, grant)| *grant <= want.bytes));
            let two = sum(&wants, &grants, |want| want.need == Need::OfTwoKeys);
            prop_assert!(sum(&wants, &grants, |want| want.need != Need::OfTwoKeys) + 3 * two <= held.any + 2);
            prop_assert!(sum(&wants, &grants, |want| want.need == Need::Proven) + 3 * two <= held.proven + 2);
            prop_assert!(sum(&wants, &grants, |want| want.need == Need::Credited) <= held.credited);
            prop_assert!(two <= held.of_two_keys);
        }

        #[test]
        fn the_first_gets_all_that_it_wants_if_it_is_there(bytes in 0_usize..5000, others in prop::collection::vec(want(), 0..8), held in held()) {
            let first = Want { need: Need::Any, bytes, rank: Rank::First, reserve: 0 };
            let wants = [vec![first], others].concat();
            prop_assert_eq!(shares(&wants, held)[0], bytes.min(held.any));
        }

        #[test]
        fn bulk_gets_its_share_before_those_who_wait(share in 0_usize..2000, waiting in 0_usize..9000, any in 0_usize..9000) {
            let held = Held { any, credited: any, proven: any, of_two_keys: 0 };
            let bulk = Want { need: Need::Any, bytes: 9000, rank: Rank::Bulk { share }, reserve: 0 };
            let client = Want { need: Need::Any, bytes: waiting, rank: Rank::Waiting, reserve: 0 };
            let grants = shares(&[client, bulk], held);
            prop_assert!(grants[1] >= share.min(any));
            prop_assert_eq!(grants[0], waiting.min(any - share.min(any)));
        }

        #[test]
        fn bulk_leaves_the_reserve(reserve in 0_usize..9000, any in 0_usize..9000) {
            let held = Held { any, credited: any, proven: any, of_two_keys: 0 };
            let bulk = Want { need: Need::Any, bytes: 9000, rank: Rank::Bulk { share: 0 }, reserve: 0 };
            let quiet = Want { need: Need::Any, bytes: 0, rank: Rank::Waiting, reserve };
            prop_assert_eq!(shares(&[bulk, quiet], held)[0], any.saturating_sub(reserve));
        }

        #[test]
        fn proven_and_combined_wants_get_no_other_bytes(wants in prop::collection::vec(want(), 0..8), any in 0_usize..9000) {
            let grants = shares(&wants, Held { any, credited: 0, proven: 0, of_two_keys: 0 });
            prop_assert_eq!(sum(&wants, &grants, |want| want.need != Need::Any), 0);
        }
    }
}
