//! ekey-sim

fn main() {}
