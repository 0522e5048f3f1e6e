//! What a server of Redis promises.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use crate::issuer::publisher::Promise;

/// What a server says of itself.
pub(super) struct RedisInfo {
    info: String,
    /// `None` if this client may not ask for it.
    fsync: Option<String>,
}

impl RedisInfo {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        let info = cmd("INFO").query_async(connection).await?;
        let fsync: RedisResult<Vec<String>> = cmd("CONFIG")
            .arg("GET")
            .arg("appendfsync")
            .query_async(connection)
            .await;
        Ok(Self {
            info,
            fsync: fsync.ok().and_then(|pair| pair.into_iter().nth(1)),
        })
    }

    pub(super) fn is_master(&self) -> bool {
        self.field("role") == Some("master")
    }

    pub(super) fn replicas(&self) -> u32 {
        let replicas = self.fields().filter(|(name, _)| {
            let number = name.strip_prefix("slave");
            number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
        });
        let online = replicas.filter(|(_, value)| value.contains("state=online"));
        u32::try_from(online.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn promise(&self) -> Promise {
        let replicas = self.replicas();
        let mut promise = Promise::of_copies(1 + replicas);
        if replicas == 0 {
            promise.warn(
                "replicas",
                "are none: what this server loses is lost, until the issuer publishes it again",
            );
        }
        match (self.field("aof_enabled"), self.fsync.as_deref()) {
            (Some("0"), _) => promise.warn("appendonly", "is no: a restart loses the stream; set yes"),
            (_, Some(fsync @ ("everysec" | "no"))) => {
                let words =
                    format!("is {fsync}: when the machine fails, the newest messages are lost; always keeps them");
                promise.warn("appendfsync", words);
            }
            _ => {}
        }
        if let Some(policy) = self.field("maxmemory_policy").filter(|policy| *policy != "noeviction") {
            let words = format!("is {policy}: the stream may be dropped when memory is short; set noeviction");
            promise.warn("maxmemory-policy", words);
        }
        promise
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.info.lines().filter_map(|line| line.trim_end().split_once(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(info: &str, fsync: Option<&str>) -> (Option<u32>, Vec<&'static str>) {
        let info = RedisInfo {
            info: info.to_owned(),
            fsync: fsync.map(str::to_owned),
        };
        let promise = info.promise();
        (
            promise.copies,
            promise.warnings.iter().map(|warning| warning.setting).collect(),
        )
    }

    #[test]
    fn what_loses_confirmed_messages_is_named() {
        let good = "role:master\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\nslave0:ip=::1,state=online,offset=3,lag=0\r\n";
        assert_eq!(named(good, Some("always")), (Some(2), vec![]));
        assert_eq!(named(good, None), (Some(2), vec![]), "nobody may ask");
        assert_eq!(named(good, Some("everysec")), (Some(2), vec!["appendfsync"]));
        let bad = "role:master\r\naof_enabled:0\r\nmaxmemory_policy:allkeys-lru\r\nslave0:ip=::1,state=wait_bgsave,offset=0\r\n";
        let all = vec!["replicas", "appendonly", "maxmemory-policy"];
        assert_eq!(named(bad, Some("everysec")), (Some(1), all));
    }
}
