//! What an EGD server serves its clients from.

use crate::stock::{End, Need, Stock};

/// Bytes for clients.
pub(crate) trait Store {
    /// Returns how many bytes there are.
    fn held(&self) -> usize;
    /// Returns how many bits of entropy they have together.
    fn entropy_bits(&self) -> u64;
    /// Moves up to `count` bytes to the end of `out`, and returns how many.
    fn take(&mut self, count: usize, out: &mut Vec<u8>) -> usize;
}

/// The bytes of a stock that clients may have.
pub(crate) struct OfStock<'a> {
    pub(crate) stock: &'a mut Stock,
    pub(crate) need: Need,
}

impl Store for OfStock<'_> {
    fn held(&self) -> usize {
        self.stock.held(self.need)
    }

    fn entropy_bits(&self) -> u64 {
        self.held() as u64 * 8
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        self.stock.take(count, End::Freshest, self.need, out)
    }
}
