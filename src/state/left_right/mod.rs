//! One state that everybody reads beside one that nobody sees: they are written in turn.

mod pair;
#[cfg(test)]
mod tests;

pub(crate) use pair::Pair;
