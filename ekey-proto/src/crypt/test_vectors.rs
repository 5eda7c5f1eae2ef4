//! The vectors that the tests are held against: `vectors/session.json` and the frames of a real key.

use std::vec::Vec;

use serde_json::Value;

/// Computed sessions, which the original host software accepts.
pub(crate) fn session() -> Value {
    serde_json::from_str(include_str!("../../vectors/session.json")).expect("valid JSON")
}

/// The bytes of a hexadecimal string.
pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().expect("a string")).expect("hexadecimal")
}
