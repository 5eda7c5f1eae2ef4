//! The types of other crates in JSON: each by the name that it has there.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error};

fn find<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    what: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let found = all.iter().find(|one| name(**one) == text);
    found.copied().ok_or_else(|| D::Error::custom(format!("unknown {what} `{text}`")))
}

/// A step of the ladder.
pub(super) mod rung {
    use ekey_link::revive::Rung;
    use serde::{Deserializer, Serializer};

    pub(in crate::status) fn serialize<S: Serializer>(rung: &Rung, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(rung.name())
    }

    pub(in crate::status) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rung, D::Error> {
        super::find(deserializer, "rung", &Rung::ALL, Rung::name)
    }
}

/// How a key is reached.
pub(super) mod transport {
    use ekey_link::Transport;
    use serde::{Deserializer, Serializer};

    pub(in crate::status) fn serialize<S: Serializer>(transport: &Transport, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(transport.name())
    }

    pub(in crate::status) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Transport, D::Error> {
        super::find(deserializer, "transport", &Transport::ALL, Transport::name)
    }
}
