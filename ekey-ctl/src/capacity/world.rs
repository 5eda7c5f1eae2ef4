//! What the clients share: keys, a pool, and a kernel that is served first.

/// What a real key brings on a PC, in bytes a second: 126 frames of 32 bytes (firmware-notes).
pub(crate) const KEY_BYTES_PER_S: f64 = 4032.0;
/// What the daemon's pool holds by default, in bytes.
pub(crate) const POOL_BYTES: u64 = 1_048_576;
/// Bytes that a key brings at once: a block of 20,000 bits, in 78 frames.
const BLOCK: u64 = 78 * 32;

/// Everything but the clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct World {
    pub(crate) keys: u32,
    /// Of each key.
    pub(crate) bytes_per_s: f64,
    /// What a key brings at once, in bytes.
    pub(crate) block: u64,
    /// What the pool can hold.
    pub(crate) pool: u64,
    /// What it holds at the beginning.
    pub(crate) held: u64,
    pub(crate) kernel: Option<Kernel>,
}

/// The kernel's share, which is served first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) bytes: u64,
    /// In seconds.
    pub(crate) every: f64,
}

impl World {
    /// Usual keys, a full pool of the usual size, and a kernel that is seeded.
    pub(crate) fn usual(keys: u32) -> Self {
        Self {
            keys,
            bytes_per_s: KEY_BYTES_PER_S,
            block: BLOCK,
            pool: POOL_BYTES,
            held: POOL_BYTES,
            kernel: Some(Kernel { bytes: 64, every: 60.0 }),
        }
    }

    /// Bytes a second that all keys bring.
    pub(crate) fn supply(self) -> f64 {
        self.bytes_per_s * f64::from(self.keys)
    }

    /// Bytes a second that the kernel leaves.
    pub(crate) fn left(self) -> f64 {
        self.supply() - self.kernel.map_or(0.0, |kernel| kernel.bytes as f64 / kernel.every)
    }
}
