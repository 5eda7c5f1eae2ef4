//! ekey-control
