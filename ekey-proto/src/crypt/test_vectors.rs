//! Reads the test vectors in `vectors/session.json`.

use std::vec::Vec;

use serde_json::Value;

/// Returns computed sessions, which the original host software accepts.
pub(crate) fn session() -> Value {
    serde_json::from_str(include_str!("../../vectors/session.json")).expect("valid JSON")
}

/// Decodes a hexadecimal string.
pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().expect("a string")).expect("hexadecimal")
}
