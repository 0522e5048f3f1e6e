//! The protocol of Kafka, as far as a reader of one topic needs it.
//!
//! Sources: the protocol's own guide (<https://kafka.apache.org/protocol>) and the record batch's format
//! (<https://kafka.apache.org/documentation/#recordbatch>).

mod connection;
mod fetch;
mod produce;
mod list_offsets;
#[cfg(feature = "issuer")]
mod create_topic;
#[cfg(feature = "issuer")]
mod describe_topic;
mod metadata;
mod handshake;
mod request;
mod error_code;
mod new_batch;
mod batch;
mod record_headers;
mod compression;
mod bytes_writer;
mod bytes_reader;

pub(crate) use batch::{KafkaRecord, RecordBatch};
pub(crate) use bytes_reader::KafkaUuid;
pub(crate) use connection::{BrokerConnection, ByteStream, PATIENCE, Received, Sent};
#[cfg(feature = "issuer")]
pub(crate) use create_topic::CreateTopic;
#[cfg(feature = "issuer")]
pub(crate) use describe_topic::DescribeTopic;
pub(crate) use error_code::ErrorCode;
pub(crate) use fetch::{AbortedTransaction, Fetch, FetchAnswer, FetchedPartition};
pub(crate) use handshake::{SaslAnswer, SaslAuthenticate, SaslHandshake};
pub(crate) use list_offsets::{EARLIEST, LAST_STABLE, ListOffsets};
pub(crate) use metadata::{BrokerAddress, MetadataAnswer, MetadataRequest, PartitionMetadata};
pub(crate) use new_batch::NewRecord;
pub(crate) use produce::Produce;
#[cfg(feature = "issuer")]
pub(crate) use produce::Produced;
pub(crate) use request::KafkaRequest;
