//! What a gateway may do at a broker, as the documentation lists it, is enough.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context, stream};
use tokio::time::{sleep, timeout};
use tower_revocation::source::nats::NatsSource;

use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;
use crate::server::{Program, Running, nats_server};

/// A NATS server with two users: `admin` may do everything, and `gateway` what the documentation lists.
struct RestrictedNats;

impl Program for RestrictedNats {
    const NAME: &str = "nats-server";
    const READY: &str = "Server is ready";

    fn prepare(directory: &Path) -> Self {
        fs::write(directory.join("users.conf"), USERS).expect("a file can be written in a new directory");
        Self
    }

    fn command(&self, directory: &Path, data: &Path, port: u16) -> Command {
        let mut command = Command::new(nats_server());
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-js", "-sd"]).arg(data);
        command.arg("-c").arg(directory.join("users.conf"));
        command
    }

    fn url(port: u16) -> String {
        format!("nats://127.0.0.1:{port}")
    }
}

/// `docs/BROKERS.md` has the same list, for a stream `S`.
const USERS: &str = r#"
authorization {
    users = [
        { user: admin, password: admin }
        {
            user: gateway, password: gateway
            permissions: {
                publish: [
                    "$JS.API.STREAM.INFO.revocations", "$JS.API.STREAM.MSG.GET.revocations",
                    "$JS.API.CONSUMER.CREATE.revocations", "$JS.API.CONSUMER.MSG.NEXT.revocations.*",
                    "$JS.API.CONSUMER.DELETE.revocations.*", "dead.letters"
                ]
                subscribe: ["_INBOX.>"]
            }
        }
    ]
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nats() {
    in_time(a_client_may_do_no_more()).await;
}

async fn a_client_may_do_no_more() {
    let server = Running::<RestrictedNats>::start().await;
    let admin = jetstream::new(connect(server.port(), "admin").await);
    for (name, subject) in [("revocations", "revocations"), ("dead-letters", "dead.letters")] {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..stream::Config::default()
        };
        admin.create_stream(config).await.unwrap();
    }
    let link = Link::to(server.port()).await;
    let client = connect(link.port, "gateway").await;
    let source = NatsSource::new(client, "revocations").with_dead_letters("dead.letters");
    let replica = Replica::start(source, "gateway");
    replica.live().await;
    publish(&admin, &["+first@1000", "poison"]).await;
    replica.refuses_after("first").await;
    let dead_letter = async {
        while admin
            .get_stream("dead-letters")
            .await
            .unwrap()
            .cached_info()
            .state
            .messages
            == 0
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), dead_letter).await.unwrap();
    // Cut off before it hears that the dead letter is stored, it would read the poison again.
    replica
        .until("all settled", |status| status.feed.unacknowledged == 0)
        .await;
    // Opened anew, it looks for what it read.
    link.cut();
    replica.down().await;
    link.mend();
    publish(&admin, &["+second@1000"]).await;
    replica.refuses_after("second").await;
    let status = replica.live().await;
    // The first opening of a young stream, and the poison.
    assert_eq!(status.gaps, 2, "{:?}", status.last_gap);
}

async fn publish(context: &Context, messages: &[&'static str]) {
    for message in messages {
        let confirmation = context.publish("revocations", (*message).into()).await.unwrap();
        confirmation.await.unwrap();
    }
}

async fn connect(port: u16, user: &str) -> async_nats::Client {
    ConnectOptions::with_user_and_password(user.to_owned(), user.to_owned())
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|_attempts| Duration::from_millis(100))
        .connect(format!("nats://127.0.0.1:{port}"))
        .await
        .unwrap()
}
