//! A broker whose answers get lost.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tower_revocation::issuer::{Confirmed, MemoryPublisher, OutgoingMessage, Promise, PublishError, Publisher};
use tower_revocation::source::Memory;

use crate::{Home, all_published, block, read};

/// Fails as it is told to, call by call.
struct Flaky {
    inner: MemoryPublisher,
    plan: Vec<Failure>,
}

/// What becomes of a publication.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// It is good.
    None,
    /// Nothing arrives.
    Before,
    /// So many arrive, and the answer does not.
    Within(usize),
    /// All arrive, and the answer does not.
    After,
}

impl Publisher for Flaky {
    fn name(&self) -> &str {
        "flaky"
    }

    fn is_conditional(&self) -> bool {
        self.inner.is_conditional()
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        self.inner.ensure().await
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        self.inner.read_back(source, most).await
    }

    async fn publish(&mut self, source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        let lost = || Err(PublishError::failed("the answer is lost"));
        match self.plan.pop().unwrap_or(Failure::None) {
            Failure::None => self.inner.publish(source, messages).await,
            Failure::Before => lost(),
            Failure::Within(some) => {
                self.inner
                    .publish(source, &messages[..some.min(messages.len())])
                    .await?;
                lost()
            }
            Failure::After => {
                self.inner.publish(source, messages).await?;
                lost()
            }
        }
    }
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::None),
        Just(Failure::Before),
        (0_usize..5).prop_map(Failure::Within),
        Just(Failure::After),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // Not on a paused clock: the store has a thread of its own.
    /// Confirmations get lost, the process restarts: the log has no hole, nothing is in it twice, and it is one log.
    #[test]
    fn nothing_is_lost_and_no_log_is_begun_for_lost_answers(
        plan in prop::collection::vec(failure(), 0..4),
        rounds in prop::collection::vec((0_usize..12, 0_u64..600), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (home, log) = (Home::new(), Memory::new("broker"));
            let mut ids = Vec::new();
            for (statements, patience) in rounds {
                let publisher = Flaky { inner: MemoryPublisher::new(&log), plan: plan.clone() };
                let issuer = home.open().publishing_to(publisher);
                for i in 0..statements {
                    ids.push(block(&issuer, &format!("s-{i}")).await);
                }
                // It may be killed with something under way.
                issuer.end(Duration::from_millis(patience)).await.unwrap();
            }
            let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
            all_published(&issuer).await;
            let published = read(&log);
            prop_assert!(published.logs.len() <= 1, "{:?}", published);
            if !ids.is_empty() {
                prop_assert_eq!(published.last().ids(), ids);
            }
            Ok(())
        })?;
    }
}
