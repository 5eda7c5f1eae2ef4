//! ekey-proto
