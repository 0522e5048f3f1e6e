//! What the common suite wants of a broker.

use tower_revocation::source::EventSource;
use tower_revocation::source::testing::Capability;

/// A broker with one feed on it.
pub(crate) trait Broker: Sized + Send {
    type Source: EventSource + 'static;

    const NAME: &str;

    /// What it cannot do.
    const LACKS: &[Capability] = &[];

    /// Its own server, its own feed, created as a deployment would.
    async fn start() -> Self;

    /// The server's port, to be reached through a [link](crate::link::Link).
    fn port(&self) -> u16;

    /// The feed, to be read by one replica through a port, with a dead-letter place, over a connection of its own.
    async fn source(&self, port: u16, replica: &str) -> Self::Source;

    /// Publishes in order, and returns when the broker confirmed each of them. Tries again while the broker is away, so that a
    /// message may be there twice.
    async fn publish(&self, messages: Vec<Vec<u8>>);

    /// What was put aside: payload, and what was said about it.
    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)>;

    async fn kill(&mut self);
    async fn restart(&mut self);
    fn freeze(&mut self);
    fn thaw(&mut self);

    /// The feed is lost, and there again, empty, under the same name.
    async fn wipe(&mut self);

    /// All but the newest `rest` messages are dropped.
    async fn trim(&mut self, rest: usize);

    /// Reads the first `count` messages with nothing but the client, as a user's own loop would.
    async fn read_bare(&self, count: usize);
}
