//! ekey-sim
