//! A harness whose calls return.

use std::ops::Range;

use crate::source::testing::bounded_source::BoundedSource;
use crate::source::testing::harness::Harness;
use crate::source::testing::limit::of_harness;

/// A harness, every call of which ends in time, or is told of in words. What is done to it goes through here.
pub(super) struct BoundedHarness<H>(H);

impl<H: Harness> BoundedHarness<H> {
    pub(super) const fn new(harness: H) -> Self {
        Self(harness)
    }

    /// The feed, for the loop, which sets limits of its own.
    pub(super) async fn source(&self) -> Result<H::Source, String> {
        of_harness("give a source", self.0.source()).await
    }

    /// The feed, to be read without the loop.
    pub(super) async fn bare_source(&self) -> Result<BoundedSource<H::Source>, String> {
        Ok(BoundedSource::new(self.source().await?))
    }

    /// Publishes messages of these numbers, and returns them.
    pub(super) async fn publish(&self, name: &str, numbers: Range<usize>) -> Result<Vec<String>, String> {
        let messages: Vec<_> = numbers.map(|number| format!("{name} {number}")).collect();
        self.publish_these(&messages).await?;
        Ok(messages)
    }

    pub(super) async fn publish_these(&self, messages: &[impl AsRef<[u8]>]) -> Result<(), String> {
        let messages = messages.iter().map(|message| message.as_ref().to_vec()).collect();
        of_harness("publish", self.0.publish(messages)).await
    }

    pub(super) async fn dead_letters(&self) -> Result<Vec<Vec<u8>>, String> {
        of_harness("return the dead letters", self.0.dead_letters()).await
    }

    pub(super) async fn cut(&mut self) -> Result<(), String> {
        of_harness("cut the sources off", self.0.cut()).await
    }

    pub(super) async fn mend(&mut self) -> Result<(), String> {
        of_harness("let the sources back in", self.0.mend()).await
    }

    pub(super) async fn wipe(&mut self) -> Result<(), String> {
        of_harness("wipe the log", self.0.wipe()).await
    }

    pub(super) async fn trim(&mut self, rest: usize) -> Result<(), String> {
        of_harness("trim the log", self.0.trim(rest)).await
    }

    pub(super) async fn set_frozen(&mut self, is_frozen: bool) -> Result<(), String> {
        let call = if is_frozen { "freeze" } else { "thaw" };
        of_harness(call, self.0.set_frozen(is_frozen)).await
    }
}
