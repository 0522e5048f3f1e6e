//! An example gateway.

fn main() {}
