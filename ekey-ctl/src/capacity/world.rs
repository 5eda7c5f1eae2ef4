//! What the clients share: keys, a pool, and a kernel with priority.

/// Supply of a real key on a PC, in bytes a second: 126 frames of 32 bytes (firmware-notes).
pub(crate) const KEY_BYTES_PER_S: f64 = 4032.0;
/// Default capacity of the daemon's pool, in bytes.
pub(crate) const POOL_BYTES: u64 = 1_048_576;
/// Bytes that a key delivers at once: a block of 20,000 bits, in 78 frames.
const BLOCK: u64 = 78 * 32;

/// Everything but the clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct World {
    pub(crate) keys: u32,
    /// Supply of each key.
    pub(crate) bytes_per_s: f64,
    /// Bytes that a key delivers at once.
    pub(crate) block: u64,
    /// Capacity of the pool, in bytes.
    pub(crate) pool: u64,
    /// Bytes in the pool at the beginning.
    pub(crate) held: u64,
    pub(crate) kernel: Option<Kernel>,
}

/// The kernel's share, which comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) bytes: u64,
    /// Interval in seconds.
    pub(crate) every: f64,
}

impl World {
    /// Returns typical keys, a full pool of the default size, and a kernel that is seeded.
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

    /// Returns the bytes a second of all keys.
    pub(crate) fn supply(self) -> f64 {
        self.bytes_per_s * f64::from(self.keys)
    }

    /// Returns the bytes a second that the kernel leaves.
    pub(crate) fn left(self) -> f64 {
        self.supply() - self.kernel.map_or(0.0, |kernel| kernel.bytes as f64 / kernel.every)
    }
}
