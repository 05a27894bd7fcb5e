//! tollgate's program: arguments in, a running server out.

fn main() {}
