//! Extensions of the protocol's first version. Only those that both sides have count.

/// The extensions that matter here. Each is a bit in the greeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// The key's version comes with the message that announces it.
    pub(super) device_version: bool,
    /// The host may reject the key, or send a filter.
    pub(super) filter: bool,
    /// The host acknowledges that the key was unplugged.
    pub(super) disconnect_ack: bool,
    /// Packet sizes come with the endpoints.
    pub(super) packet_sizes: bool,
    /// Message numbers have 64 bits.
    pub(super) long_numbers: bool,
    /// Bulk transfers have lengths of 32 bits.
    pub(super) long_bulk: bool,
    /// Bulk endpoints may have streams. Never offered: the key has none.
    pub(super) streams: bool,
}

impl Capabilities {
    /// What the key offers. QEMU puts no key on an xHCI bus without the last three. Bulk receiving is not offered: it
    /// would hide where the reads of a guest's kernel begin and end.
    pub(super) const OURS: Self = Self {
        device_version: true,
        filter: true,
        disconnect_ack: true,
        packet_sizes: true,
        long_numbers: true,
        long_bulk: true,
        streams: false,
    };

    /// Reads the words of a greeting. The first word holds everything.
    pub(super) fn from_words(words: &[[u8; 4]]) -> Self {
        let word = words.first().copied().map_or(0, u32::from_le_bytes);
        let has = |bit: u32| word >> bit & 1 == 1;
        Self {
            streams: has(0),
            device_version: has(1),
            filter: has(2),
            disconnect_ack: has(3),
            packet_sizes: has(4),
            long_numbers: has(5),
            long_bulk: has(6),
        }
    }

    /// Returns the word for a greeting.
    pub(super) fn to_word(self) -> [u8; 4] {
        let bits = [
            self.streams,
            self.device_version,
            self.filter,
            self.disconnect_ack,
            self.packet_sizes,
            self.long_numbers,
            self.long_bulk,
        ];
        let word = bits.iter().enumerate().fold(0_u32, |word, (bit, set)| word | u32::from(*set) << bit);
        word.to_le_bytes()
    }

    /// Returns what both sides have.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            device_version: self.device_version && other.device_version,
            filter: self.filter && other.filter,
            disconnect_ack: self.disconnect_ack && other.disconnect_ack,
            packet_sizes: self.packet_sizes && other.packet_sizes,
            long_numbers: self.long_numbers && other.long_numbers,
            long_bulk: self.long_bulk && other.long_bulk,
            streams: self.streams && other.streams,
        }
    }
}
