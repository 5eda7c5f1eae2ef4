//! ekeyd

fn main() {}
