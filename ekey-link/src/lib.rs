//! ekey-link
