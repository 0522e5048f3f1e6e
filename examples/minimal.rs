//! The example of the README, as it stands there: a service that is fed by a queue of the application's own.

use std::time::Duration;

use axum::{Router, http::header::AUTHORIZATION, routing::post};
use tokio::{sync::mpsc, time::sleep};
use tower_revocation::{
    ApplyError, DomainConfig, EventSink, Key, ListPolicy, Revocation, RevocationLayer, Timestamp, identify,
};

/// What your issuer publishes when it revokes an agent.
struct AgentRevoked {
    agent: String,
    at: Timestamp,
}

fn app(queue: mpsc::Receiver<AgentRevoked>) -> Router {
    // Events alone decide: there is no revocation list. So a lost event stays lost, and a process that starts knows
    // nothing: the queue has to replay all its messages at each start. If you have a signed list, see the guide on lists.
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    // One layer serves one issuer. The sink is the handle through which you feed it.
    let (revocation, sink) = RevocationLayer::pair_with(domain, identify::jwt(AUTHORIZATION, "Bearer"));
    tokio::spawn(consume(queue, sink));
    Router::new().route("/hooks/message", post(deliver)).layer(revocation)
}

/// Your own queue client takes the place of the channel.
async fn consume(mut queue: mpsc::Receiver<AgentRevoked>, sink: EventSink) {
    while let Some(message) = queue.recv().await {
        // An error means "try again later", for example because there is no room.
        while let Err(error) = revoke(&sink, &message).await {
            eprintln!("agent is not revoked yet: {error}");
            sleep(Duration::from_secs(1)).await;
        }
        // Acknowledge the message here, and not before.
    }
}

async fn revoke(sink: &EventSink, message: &AgentRevoked) -> Result<(), ApplyError> {
    let event = Revocation::block(Key::subject(&message.agent)).at(message.at);
    // When `apply` returns, the agent is refused. With a journal, `durable` waits until the event is also on disk.
    sink.apply(event)?.durable().await
}

async fn deliver() {}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // In your application the issuer has the other end.
    let (_issuer, queue) = mpsc::channel(100);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(queue)).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tokio::time::timeout;
    use tower::ServiceExt;

    use super::*;

    /// The status of a request with the token of agent 7 or 8: `{}.{"sub":"agent-7"}`, `{}.{"sub":"agent-8"}`.
    async fn status(app: &Router, agent: u8) -> u16 {
        let sub = ["eyJzdWIiOiJhZ2VudC03In0", "eyJzdWIiOiJhZ2VudC04In0"][usize::from(agent - 7)];
        let request = Request::post("/hooks/message").header(AUTHORIZATION, format!("Bearer e30.{sub}.x"));
        let response = app.clone().oneshot(request.body(Body::empty()).expect("a request"));
        response.await.expect("an answer").status().as_u16()
    }

    #[tokio::test]
    async fn an_agent_is_admitted_and_once_it_is_revoked_refused() {
        let (issuer, queue) = mpsc::channel(1);
        let app = app(queue);
        assert_eq!(status(&app, 7).await, 200);
        let agent = "agent-7".to_owned();
        let at = Timestamp::now();
        issuer.send(AgentRevoked { agent, at }).await.expect("it is read");
        let refused = async {
            while status(&app, 7).await != 401 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), refused)
            .await
            .expect("refused in time");
        assert_eq!(status(&app, 8).await, 200);
    }

    #[test]
    fn the_readme_shows_it() {
        let program = include_str!("minimal.rs")
            .split("#[cfg(test)]")
            .next()
            .expect("the program");
        let program = program.split_once("\n\n").expect("after the docs").1.trim_end();
        assert!(include_str!("../README.md").contains(program));
    }
}
