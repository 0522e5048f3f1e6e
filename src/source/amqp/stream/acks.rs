//! How many messages of a stream the broker may send ahead.

use std::future::pending;

use futures_util::future::{BoxFuture, FutureExt};
use lapin::Acker;
use lapin::options::BasicAckOptions;

use crate::source::amqp::connection::because;
use crate::source::error::SourceError;

/// Acknowledges what was read of a stream.
///
/// To a stream, acknowledging is no more than asking for as many messages again: the place is kept on this side. So it
/// is done for messages that were read, and for many at once; one that is retried for long holds up nothing.
#[derive(Default)]
pub(super) struct Acks {
    /// The last message that was read, and how many are not acknowledged with it.
    last: Option<Acker>,
    count: usize,
    is_due: bool,
    giving: Option<BoxFuture<'static, lapin::Result<bool>>>,
}

impl Acks {
    /// Notes that a message was read.
    pub(super) fn read(&mut self, message: &Acker) {
        self.last = Some(message.clone());
        self.count += 1;
        self.is_due |= self.count >= BATCH;
    }

    /// Has everything acknowledged that was read, also if it is less than a batch: RabbitMQ closes the channel of
    /// whoever leaves a message unacknowledged for half an hour.
    pub(super) fn flush(&mut self) {
        self.is_due = self.count > 0;
    }

    /// Begins to acknowledge what is due, and ends what was begun before: the client may send the second of two
    /// acknowledgements first, and to the broker the other one's message would be unknown then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets nothing.
    pub(super) async fn give(&mut self) -> Result<(), SourceError> {
        if !self.is_due {
            return Ok(());
        }
        if self.giving.is_some() {
            self.given().await?;
        }
        if let Some(last) = self.last.take() {
            let all = BasicAckOptions { multiple: true };
            self.giving = Some(async move { last.ack(all).await }.boxed());
        }
        self.count = 0;
        self.is_due = false;
        Ok(())
    }

    /// Ends what was begun; waits for ever if nothing was.
    ///
    /// # Cancel safety
    ///
    /// As [`give`](Self::give).
    pub(super) async fn given(&mut self) -> Result<(), SourceError> {
        let Some(giving) = &mut self.giving else {
            return pending().await;
        };
        let given = giving.await;
        self.giving = None;
        given.map_err(because("cannot acknowledge")).map(|_| ())
    }
}

/// How many messages are acknowledged at once. Measured: to acknowledge each takes three times as long to read.
const BATCH: usize = 64;
