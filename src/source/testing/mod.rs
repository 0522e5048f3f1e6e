//! A kit that shows whether an [`EventSource`](super::EventSource) keeps its contract (feature `source-testing`).
//!
//! Give it a [`Harness`], which publishes to a real broker and cuts, wipes, trims and freezes it, and have each [`Rule`]
//! checked, with the loop of [`drive`](super::drive) on top of your source. The sources of this crate are held to the same
//! rules. What breaks one is said in words: which rule, and what was seen. A call that does not return is also told of so.
//!
//! No rule looks at the answer of a first opening. Show by a test of your own that it is
//! [`Continuity::Gap`](super::Continuity::Gap) if the log does not reach back to [`Start::time`](super::Start::time).
//!
//! ```
//! use tower_revocation::source::testing::{self, Capability, Harness, Rule};
//! use tower_revocation::source::{Memory, MemorySource};
//!
//! /// In its place: a broker that the test started, and a link to it that can be cut.
//! struct InMemory(Memory);
//!
//! impl Harness for InMemory {
//!     type Source = MemorySource;
//!
//!     // What this one does not show below. By default a broker has to be able to do everything.
//!     const LACKS: &[Capability] = &[Capability::Freeze, Capability::Trim, Capability::Wipe];
//!
//!     async fn source(&self) -> MemorySource {
//!         self.0.source()
//!     }
//!
//!     async fn publish(&self, messages: Vec<Vec<u8>>) {
//!         for message in messages {
//!             self.0.publish(message);
//!         }
//!     }
//!
//!     async fn dead_letters(&self) -> Vec<Vec<u8>> {
//!         let letters = self.0.dead_letters().into_iter();
//!         letters.map(|letter| letter.payload.to_vec()).collect()
//!     }
//!
//!     async fn cut(&mut self) {
//!         self.0.set_away(true);
//!     }
//!
//!     async fn mend(&mut self) {
//!         self.0.set_away(false);
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // In a test of one's own for each rule, or in one for all.
//! for rule in Rule::ALL {
//!     let checked = testing::check(rule, InMemory(Memory::new("revocations"))).await;
//!     println!("{rule}: {:?}", checked.unwrap());
//! }
//! # }
//! ```

mod check;
mod cases;
mod bounded_harness;
mod bounded_source;
mod observed;
mod limit;
mod rule;
mod harness;

pub use check::check;
pub use harness::{Capability, Harness};
pub use rule::{Checked, Rule, RuleBroken};
