//! What CI and a person run.

fn main() {}
