//! What brokers say when they refuse.

use std::error::Error;
use std::fmt;

/// Why a broker refuses, as a number of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(pub(crate) i16);

impl ErrorCode {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    #[cfg(feature = "issuer")]
    pub(crate) const TOPIC_ALREADY_EXISTS: Self = Self(36);
    #[cfg(feature = "issuer")]
    pub(crate) const INVALID_REPLICATION_FACTOR: Self = Self(38);
    pub(crate) const UNKNOWN_TOPIC_ID: Self = Self(100);

    /// Returns the refusal, if it is one.
    pub(crate) fn ok(self) -> Result<(), Self> {
        match self {
            Self::NONE => Ok(()),
            refusal => Err(refusal),
        }
    }

    /// Whether another broker leads, or will in a moment, or this one does and does not know it yet.
    pub(crate) const fn is_about_leader(self) -> bool {
        matches!(self.0, 5 | 6 | 9 | 56 | 74 | 75 | 78 | 103)
    }

    /// Its name, where it says something to whoever runs the gateway.
    const fn name(self) -> &'static str {
        match self.0 {
            1 => "OFFSET_OUT_OF_RANGE",
            2 => "CORRUPT_MESSAGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            5 => "LEADER_NOT_AVAILABLE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            7 => "REQUEST_TIMED_OUT",
            8 => "BROKER_NOT_AVAILABLE",
            9 => "REPLICA_NOT_AVAILABLE",
            10 => "MESSAGE_TOO_LARGE",
            17 => "INVALID_TOPIC_EXCEPTION",
            18 => "RECORD_LIST_TOO_LARGE",
            19 => "NOT_ENOUGH_REPLICAS",
            20 => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            29 => "TOPIC_AUTHORIZATION_FAILED: the client may not read or write the topic",
            31 => "CLUSTER_AUTHORIZATION_FAILED",
            32 => "INVALID_TIMESTAMP",
            33 => "UNSUPPORTED_SASL_MECHANISM",
            34 => "ILLEGAL_SASL_STATE",
            35 => "UNSUPPORTED_VERSION",
            38 => "INVALID_REPLICATION_FACTOR",
            42 => "INVALID_REQUEST",
            43 => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            44 => "POLICY_VIOLATION",
            56 => "KAFKA_STORAGE_ERROR",
            58 => "SASL_AUTHENTICATION_FAILED",
            74 => "FENCED_LEADER_EPOCH",
            75 => "UNKNOWN_LEADER_EPOCH",
            76 => "UNSUPPORTED_COMPRESSION_TYPE",
            78 => "OFFSET_NOT_AVAILABLE",
            87 => "INVALID_RECORD",
            89 => "THROTTLING_QUOTA_EXCEEDED",
            100 => "UNKNOWN_TOPIC_ID",
            103 => "INCONSISTENT_TOPIC_ID",
            _ => "refused",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Kafka's error {})", self.name(), self.0)
    }
}

impl Error for ErrorCode {}
