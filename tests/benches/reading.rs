//! reading
fn main() {}
