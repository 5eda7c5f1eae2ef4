//! Whether the books add up: each sum of what came is the sum of what became of it.
//!
//! ```text
//! key:     verified = gathered + handed on + `put_aside` + dropped
//! pool:    received = held + given to the kernel + to the file + to each EGD listener + to seeds + to each other outlet
//!          + overflowed + wiped
//!          where keys are combined, instead of the EGD listeners: + combined + held to be combined + wiped of that,
//!          and made of it = ready + wiped + given to each EGD listener + to seeds
//! expand:  made of the seeds = ready + wiped + given to each of its listeners
//! fetched: received = held back + handed on + `put_aside`
//! between: handed on by all keys = received by the pool from keys + on the way
//!          `put_aside` of all keys = mixed without credit + dropped + on the way
//!          and the same for EGD servers
//! kernel:  given + mixed without credit = mixed + dropped
//! outlet:  given = passed on + waiting + dropped
//! EGD:     given + other bytes of the answers = sent + waiting + dropped
//! ```

use std::fmt;

use super::books::{Books, FetchedBooks, KeyBooks};
use super::{Account, EgdStatus, KernelStatus, OutletStatus, Status};

/// Two sums that should be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which of the sums.
    pub what: String,
    /// What went in, in bytes.
    pub came: u64,
    /// What became of it, in bytes.
    pub went: u64,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, came, went } = self;
        write!(f, "{what}: {came} bytes came and {went} are accounted for")
    }
}

impl Status {
    /// Returns each sum in the books that does not add up: none, unless the daemon has a bug.
    pub fn discrepancies(&self) -> Vec<Discrepancy> {
        let mut found = Vec::new();
        let Some(books) = &self.books else { return found };
        let mut check = |what: &str, came: u64, went: &[u64]| {
            let went = sum(went);
            if came != went {
                found.push(Discrepancy { what: what.to_owned(), came, went });
            }
        };
        let mut keys = books.departed_keys;
        check_key(&mut check, "keys that are not driven any more", &keys);
        for key in &self.keys {
            check_key(&mut check, &format!("key {}", key.number), &key.books);
            keys += key.books;
        }
        self.check_outputs(&mut check, books);
        // No count has what is on the way: it is the difference, at least 0 and at most the room for it.
        let pool = &self.pool;
        let from_keys = pool.received_bytes.saturating_sub(books.fetched_bytes);
        let aside = sum(&[books.aside_mixed_bytes, books.aside_dropped_bytes]);
        let most = books.most_on_the_way_bytes;
        let mut between = vec![
            ("handed on by the keys", keys.handed_bytes, from_keys),
            ("from retired keys", keys.put_aside_bytes, aside),
        ];
        if let Some((received, fetched)) = self.fetched() {
            let FetchedBooks { held_back_bytes, handed_bytes, put_aside_bytes } = *fetched;
            check("fetched", received, &[held_back_bytes, handed_bytes, put_aside_bytes]);
            let aside = sum(&[books.fetched_aside_mixed_bytes, books.fetched_aside_dropped_bytes]);
            between.extend([
                ("handed on by EGD servers", handed_bytes, books.fetched_bytes),
                ("from retired EGD servers", put_aside_bytes, aside),
            ]);
        }
        for (what, came, went) in between {
            let on_the_way = came.checked_sub(went);
            if on_the_way.is_none_or(|on_the_way| on_the_way > most) {
                check(what, came, &[went]);
            }
        }
        found
    }

    /// Returns how many bytes EGD servers sent, and what became of them.
    fn fetched(&self) -> Option<(u64, &FetchedBooks)> {
        let client = self.egd_client.as_ref()?;
        Some((client.received_bytes, client.books.as_ref()?))
    }

    fn check_outputs(&self, check: &mut impl FnMut(&str, u64, &[u64]), books: &Books) {
        let pool = &self.pool;
        let mut went = vec![pool.bytes, pool.overflowed_bytes, pool.wiped_bytes];
        went.extend(self.kernel.iter().map(|kernel| kernel.given_bytes));
        went.extend(self.file.iter().map(|file| file.given_bytes));
        let others = self.outlets.iter().filter(|outlet| outlet.stands_alone());
        went.extend(others.map(|outlet| outlet.account.given_bytes));
        let served = served_by(&self.egd);
        let seeds = self.expand.as_ref().map_or(0, |expand| expand.seed_bytes);
        if let Some(combine) = &self.combine {
            went.extend([combine.in_bytes, combine.held_bytes, combine.wiped_bytes]);
            check("combining", combine.out_bytes, &[combine.ready_bytes, combine.ready_wiped_bytes, served, seeds]);
        } else {
            went.extend([served, seeds]);
        }
        if let Some(expand) = &self.expand {
            let went = [expand.ready_bytes, expand.wiped_bytes, served_by(&expand.listeners)];
            check("expanding", expand.generated_bytes, &went);
        }
        check("the pool", pool.received_bytes, &went);
        if let Some(KernelStatus { given_bytes, mixed_bytes, dropped_bytes, .. }) = self.kernel {
            let came = sum(&[given_bytes, books.aside_mixed_bytes, books.fetched_aside_mixed_bytes]);
            check("the kernel", came, &[mixed_bytes, dropped_bytes]);
        }
        for OutletStatus { name, account, .. } in &self.outlets {
            let Account { given_bytes, passed_on_bytes, waiting_bytes, dropped_bytes } = *account;
            check(&format!("the outlet {name}"), given_bytes, &[passed_on_bytes, waiting_bytes, dropped_bytes]);
        }
        let expanding = self.expand.iter().flat_map(|expand| &expand.listeners);
        for EgdStatus { listen, served_bytes, other_bytes, sent_bytes, waiting_bytes, dropped_bytes, .. } in
            self.egd.iter().chain(expanding)
        {
            let came = served_bytes.saturating_add(*other_bytes);
            check(&format!("EGD at {listen}"), came, &[*sent_bytes, *waiting_bytes, *dropped_bytes]);
        }
    }
}

fn check_key(check: &mut impl FnMut(&str, u64, &[u64]), what: &str, books: &KeyBooks) {
    let KeyBooks { verified_bytes, gathered_bytes, handed_bytes, put_aside_bytes, dropped_bytes } = *books;
    check(what, verified_bytes, &[gathered_bytes, handed_bytes, put_aside_bytes, dropped_bytes]);
}

fn served_by(listeners: &[EgdStatus]) -> u64 {
    listeners.iter().fold(0, |sum, listener| sum.saturating_add(listener.served_bytes))
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}
