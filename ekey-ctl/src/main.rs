//! ekey-ctl

fn main() {}
