//! What a test can do to a broker.

use std::future::Ready;

use crate::source::event_source::EventSource;

/// A broker with one feed on it that nobody else uses, fresh for each [check](super::check), and what a test does to it.
///
/// What a broker cannot do, it [lacks](Self::LACKS), and the method for that need not be written.
pub trait Harness: Sized {
    /// The source under test.
    type Source: EventSource + 'static;

    /// What the broker cannot do. Rules that take it [cannot be shown](super::Checked::CannotBeShown).
    const LACKS: &[Capability] = &[];

    /// Returns the feed as one replica reads it, over a connection of its own, with a place for dead letters. Called again, it
    /// is the same replica.
    fn source(&self) -> impl Future<Output = Self::Source>;

    /// Publishes messages in order, and returns when the broker has confirmed each of them.
    fn publish(&self, messages: Vec<Vec<u8>>) -> impl Future<Output = ()>;

    /// Returns the messages that were put aside as dead letters.
    fn dead_letters(&self) -> impl Future<Output = Vec<Vec<u8>>>;

    /// Cuts the sources off, whether or not they are told. Publishing goes on.
    fn cut(&mut self) -> impl Future<Output = ()> {
        lacking(Capability::Cut)
    }

    /// Lets the sources back in after a cut.
    fn mend(&mut self) -> impl Future<Output = ()> {
        lacking(Capability::Cut)
    }

    /// Has the broker go away, as its readers notice, and come back with an empty log of the same name.
    fn wipe(&mut self) -> impl Future<Output = ()> {
        lacking(Capability::Wipe)
    }

    /// Drops the oldest messages, all but so many.
    fn trim(&mut self, _rest: usize) -> impl Future<Output = ()> {
        lacking(Capability::Trim)
    }

    /// Has the broker answer nobody, without breaking a connection, or has it go on.
    fn set_frozen(&mut self, _is_frozen: bool) -> impl Future<Output = ()> {
        lacking(Capability::Freeze)
    }
}

/// What not every broker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Its readers can be cut off while others publish.
    Cut,
    /// It can be frozen.
    Freeze,
    /// It keeps messages for replicas that come later, and they can be read again.
    ReadAgain,
    /// It can drop its oldest messages.
    Trim,
    /// It can lose everything.
    Wipe,
}

fn lacking(capability: Capability) -> Ready<()> {
    panic!("the harness neither lacks {capability:?} nor has the method for it")
}
