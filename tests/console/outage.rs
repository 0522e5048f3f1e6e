//! A broker that goes away.

use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::limit::in_time;
use crate::process::Gateway;
use crate::server::NatsServer;

#[tokio::test(flavor = "multi_thread")]
async fn shows_a_killed_broker_within_2_s_and_that_it_is_back() {
    in_time(async {
        let mut broker = NatsServer::start().await;
        let queue = format!("{}/REVOCATIONS.agents", broker.url());
        let gateway = Gateway::start(&["--queue", &queue]).await.ready().await;
        gateway.until(|status| status["feed"]["state"] == "live").await;
        let browser = Browser::start(1280, 900).await;
        browser.open_console(&gateway.console).await;
        browser.until("verdict-more", "Events arrive as they happen").await;

        broker.kill().await;
        let killed = Instant::now();
        browser
            .until("verdict-more", "No events arrive; the list is fetched more often")
            .await;
        let took = killed.elapsed();
        println!("a killed broker shows after {took:.2?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        browser.until("facts", "Down").await;
        browser.until("log", "Feed is down").await;

        broker.restart().await;
        browser.until("verdict-more", "Events arrive as they happen").await;
        browser.until("log", "Feed is live").await;
        assert_eq!(browser.complaints().await, [""; 0]);
        browser.close().await;
    })
    .await;
}
