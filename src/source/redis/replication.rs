//! What a server says of its part in a replication.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

/// What a server says of its part in a replication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replication {
    pub(super) role: Role,
    /// The name of the history of writes that it has. A server that copies another's data anew has another one then.
    pub(super) history: String,
}

/// Whether a server takes writes, or copies them from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// With so many replicas that said within the last [seconds](FRESH) how far they are.
    Master { replicas: usize },
    /// The time is that since its master last said anything; `None` if they are not connected.
    Replica { heard: Option<Duration> },
}

impl Replication {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        let text: String = cmd("INFO").arg("replication").query_async(connection).await?;
        Ok(Self::read(&text))
    }

    fn read(text: &str) -> Self {
        let fields = || text.lines().filter_map(|line| line.trim_end().split_once(':'));
        let field = |name| fields().find(|(field, _)| *field == name).map(|(_, value)| value);
        let role = match field("role") {
            Some("master") => Role::Master {
                replicas: fields().filter(|(name, value)| is_fresh_replica(name, value)).count(),
            },
            // Whatever does not say that it is a master is none.
            _ => Role::Replica {
                heard: field("master_last_io_seconds_ago")
                    .filter(|_| field("master_link_status") == Some("up"))
                    .and_then(|seconds| seconds.parse().ok())
                    .map(Duration::from_secs),
            },
        };
        Self {
            role,
            history: field("master_replid").unwrap_or_default().to_owned(),
        }
    }
}

impl Role {
    /// Whether it is a replica that is not connected to its master, or copies all of its data just now.
    pub(super) const fn is_cut_off(&self) -> bool {
        matches!(self, Self::Replica { heard: None })
    }
}

impl Default for Role {
    fn default() -> Self {
        Self::Replica { heard: None }
    }
}

/// `slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=0`
fn is_fresh_replica(name: &str, value: &str) -> bool {
    let is_one = name
        .strip_prefix("slave")
        .is_some_and(|number| number.parse::<u32>().is_ok());
    let part = |name| value.split(',').find_map(|part| part.strip_prefix(name));
    let lag = part("lag=").and_then(|lag| lag.parse::<u64>().ok());
    is_one && part("state=") == Some("online") && lag.is_some_and(|lag| lag <= FRESH)
}

/// Replicas say how far they are each second; one or two may be late.
const FRESH: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replicas_that_keep_up_count() {
        let text = "# Replication\r\nrole:master\r\nconnected_slaves:4\r\n\
            slave0:ip=127.0.0.1,port=1,state=online,offset=28,lag=0\r\n\
            slave1:ip=127.0.0.1,port=2,state=online,offset=14,lag=4\r\n\
            slave2:ip=127.0.0.1,port=3,state=wait_bgsave,offset=0,lag=0\r\n\
            slave3:ip=127.0.0.1,port=4,state=online,offset=28,lag=3\r\n\
            master_failover_state:no-failover\r\nmaster_replid:0123456789abcdef\r\nmaster_replid2:0000\r\n";
        let expected = Replication {
            role: Role::Master { replicas: 2 },
            history: "0123456789abcdef".to_owned(),
        };
        assert_eq!(Replication::read(text), expected);
    }

    #[test]
    fn a_replica_that_is_cut_off_heard_nothing() {
        let heard = |text: &str| match Replication::read(text).role {
            Role::Replica { heard } => heard,
            Role::Master { .. } => panic!("it is no master"),
        };
        let linked = "role:slave\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:7\r\n";
        assert_eq!(heard(linked), Some(Duration::from_secs(7)));
        let cut = "role:slave\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n";
        for text in [cut, "role:slave\r\nmaster_link_status:up\r\n", "role:sentinel", ""] {
            assert_eq!(heard(text), None);
        }
    }
}
