//! Two states, written in turn: everybody reads one, and nobody sees the other.

mod pair;
#[cfg(test)]
mod tests;

pub(crate) use pair::Pair;
