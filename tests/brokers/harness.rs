//! A broker as the crate's own kit wants it: every adapter keeps the rules that every source is held to.

use std::time::Duration;

use tokio::time::sleep;
use tower_revocation::source::testing::{self, Capability, Checked, Harness, Rule};

use crate::broker::Broker;
use crate::link::Link;

/// A broker, and the link over which it is read.
struct Linked<B> {
    broker: B,
    link: Option<Link>,
}

/// Checks a rule on a broker of its own. What the broker lacks for it is no excuse.
pub(crate) async fn keeps<B: Broker>(rule: Rule) {
    let broker = B::start().await;
    let link = match B::LACKS.contains(&Capability::Cut) {
        true => None,
        false => Some(Link::to(broker.port()).await),
    };
    let checked = testing::check(rule, Linked { broker, link }).await;
    assert_eq!(
        checked.unwrap_or_else(|broken| panic!("{}: {broken}", B::NAME)),
        Checked::Holds
    );
}

impl<B: Broker> Harness for Linked<B> {
    type Source = B::Source;

    const LACKS: &[Capability] = B::LACKS;

    async fn source(&self) -> B::Source {
        let port = self.link.as_ref().map_or_else(|| self.broker.port(), |link| link.port);
        self.broker.source(port, "one").await
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        self.broker.publish(messages).await;
    }

    async fn dead_letters(&self) -> Vec<Vec<u8>> {
        let letters = self.broker.dead_letters().await;
        letters.into_iter().map(|(payload, _)| payload).collect()
    }

    async fn cut(&mut self) {
        self.link.as_ref().expect("it does not lack that").cut();
    }

    async fn mend(&mut self) {
        self.link.as_ref().expect("it does not lack that").mend();
    }

    async fn wipe(&mut self) {
        self.broker.kill().await;
        if self.link.is_none() {
            // Its client would find the next log as if nothing had happened, and the change would be noticed only after that.
            sleep(NOTICED).await;
        }
        self.broker.wipe().await;
    }

    async fn trim(&mut self, rest: usize) {
        self.broker.trim(rest).await;
    }

    async fn set_frozen(&mut self, is_frozen: bool) {
        match is_frozen {
            true => self.broker.freeze(),
            false => self.broker.thaw(),
        }
    }
}

/// After which everybody notices that a broker is away.
const NOTICED: Duration = Duration::from_millis(5_500);
