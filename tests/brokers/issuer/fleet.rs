//! From `revoke` of an issuer of ours to the refusal by the slowest of three gateways.

use tempfile::TempDir;
use tower_revocation::issuer::{Issuer, KafkaPublisher, NatsPublisher, Publisher, RedisPublisher};
use tower_revocation::source::kafka::KafkaConfig;
use tower_revocation::{Statement, Subject};

use crate::fleet::Fleet;
use crate::issuer::suite::SOURCE;
use crate::limit::in_time;
use crate::server::{KafkaServer, NatsServer, RedisServer};

/// Each is on disk before it is published. `REVOCATIONS` says how many.
async fn what_is_revoked_is_refused_by_all(queue: &str, name: &str, publisher: impl Publisher) {
    let home = TempDir::new().unwrap();
    let issuer = Issuer::open(home.path().join("issuer"), SOURCE)
        .unwrap()
        .publishing_to(publisher);
    let fleet = Fleet::of_issuer(queue, SOURCE).await;
    let revoke = async |agent: &crate::process::Agent| {
        let statement = Statement::block(Subject::subject(&agent.did));
        issuer.revoke(statement).await.unwrap();
    };
    fleet.windows(&format!("issuer over {name}"), revoke).await;
    fleet.admits_others().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_nats() {
    in_time(async {
        let server = NatsServer::start().await;
        let client = async_nats::connect(server.url()).await.unwrap();
        let publisher = NatsPublisher::new(client, "REVOCATIONS", "agents");
        what_is_revoked_is_refused_by_all(&format!("{}/REVOCATIONS.agents", server.url()), "nats", publisher).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_redis() {
    in_time(async {
        let server = RedisServer::start().await;
        let client = redis::Client::open(server.url()).unwrap();
        let publisher = RedisPublisher::new(client, "revocations");
        what_is_revoked_is_refused_by_all(&format!("{}/revocations", server.url()), "redis", publisher).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_kafka() {
    in_time(async {
        let server = KafkaServer::start().await;
        let publisher = KafkaPublisher::new(KafkaConfig::new([server.url()]), "revocations");
        let queue = format!("kafka://{}/revocations", server.url());
        what_is_revoked_is_refused_by_all(&queue, "kafka", publisher).await;
    })
    .await;
}
