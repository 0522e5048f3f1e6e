//! Where a topic is.

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::{BytesReader, KafkaUuid};
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Asks where a topic is. It never makes one.
#[derive(Debug)]
pub(crate) struct MetadataRequest<'t> {
    pub(crate) topic: &'t str,
}

/// What a broker knows of the cluster and of a topic.
#[derive(Debug)]
pub(crate) struct MetadataAnswer {
    pub(crate) brokers: Vec<BrokerAddress>,
    pub(crate) code: ErrorCode,
    /// Zero where the broker is too old to have any.
    pub(crate) topic_id: KafkaUuid,
    pub(crate) partitions: Vec<PartitionMetadata>,
}

/// Where a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokerAddress {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Who has a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionMetadata {
    pub(crate) code: ErrorCode,
    pub(crate) number: u32,
    /// Negative if there is none.
    pub(crate) leader: i32,
    /// It grows with each change of the leader; negative where the broker is too old to say.
    pub(crate) epoch: i32,
    /// The brokers that have all of it, the leader among them: one of them is the next leader.
    pub(crate) in_sync: Vec<i32>,
}

impl KafkaRequest for MetadataRequest<'_> {
    type Answer = MetadataAnswer;

    const API: KafkaApi = KafkaApi {
        name: "Metadata",
        key: 3,
        oldest: 4,
        newest: 12,
        flexible: 9,
    };

    fn write(&self, version: i16, to: &mut BytesWriter) {
        to.list(1);
        if version >= 10 {
            to.raw(&KafkaUuid::default());
        }
        to.string(self.topic).end();
        // Whether to make the topic.
        to.bool(false);
        if (8..=10).contains(&version) {
            to.bool(false);
        }
        if version >= 8 {
            to.bool(false);
        }
        to.end();
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<MetadataAnswer, SourceError> {
        let _throttled = from.i32()?;
        let brokers = from.list(broker)?;
        let _cluster = from.string()?;
        let _controller = from.i32()?;
        let mut topics = from.list(|from| topic(version, from))?;
        let Some((code, topic_id, partitions)) = topics.pop() else {
            return Err(SourceError::new("the broker says nothing of the topic"));
        };
        Ok(MetadataAnswer {
            brokers,
            code,
            topic_id,
            partitions,
        })
    }
}

fn broker(from: &mut BytesReader) -> Result<BrokerAddress, SourceError> {
    let (id, host, port) = (from.i32()?, from.string()?, from.i32()?);
    let _rack = from.string()?;
    from.end()?;
    let port = u16::try_from(port).map_err(|_| SourceError::new(format!("broker {id} has the port {port}")))?;
    Ok(BrokerAddress { id, host, port })
}

type TopicMetadata = (ErrorCode, KafkaUuid, Vec<PartitionMetadata>);

fn topic(version: i16, from: &mut BytesReader) -> Result<TopicMetadata, SourceError> {
    let code = ErrorCode(from.i16()?);
    let _name = from.string()?;
    let topic_id = if version >= 10 {
        from.uuid()?
    } else {
        KafkaUuid::default()
    };
    let _is_internal = from.bool()?;
    let partitions = from.list(|from| partition(version, from))?;
    if version >= 8 {
        let _operations = from.i32()?;
    }
    from.end()?;
    Ok((code, topic_id, partitions))
}

fn partition(version: i16, from: &mut BytesReader) -> Result<PartitionMetadata, SourceError> {
    let code = ErrorCode(from.i16()?);
    let number = from.i32()?;
    let leader = from.i32()?;
    let epoch = if version >= 7 { from.i32()? } else { -1 };
    let _replicas = from.list(BytesReader::i32)?;
    let in_sync = from.list(BytesReader::i32)?;
    if version >= 5 {
        let _offline = from.list(BytesReader::i32)?;
    }
    from.end()?;
    let number = u32::try_from(number).map_err(|_| SourceError::new("a partition has a negative number"))?;
    Ok(PartitionMetadata {
        code,
        number,
        leader,
        epoch,
        in_sync,
    })
}
