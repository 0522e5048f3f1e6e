//! The token.

use crate::browser::Browser;
use crate::limit::in_time;
use crate::process::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_the_token_and_says_what_is_wrong_with_it() {
    in_time(async {
        let gateway = Gateway::start(&[]).await.ready().await;
        let browser = Browser::start(1280, 900).await;
        let (address, token) = gateway.console.split_once("#token=").unwrap();
        // Without one.
        browser.open(address).await;
        browser
            .until("unlock-why", "it takes the token that the gateway printed")
            .await;
        // With a wrong one.
        browser
            .find("#token")
            .await
            .send_keys("0123456789abcdef")
            .await
            .unwrap();
        browser.click("#unlock button").await;
        browser.until("unlock-why", "This token is wrong").await;
        assert!(!browser.find("#console").await.is_displayed().await.unwrap());
        // With the right one; it stays out of the address, and a reload needs it no more.
        browser.find("#token").await.send_keys(token).await.unwrap();
        browser.click("#unlock button").await;
        browser.until("link", "Connected").await;
        browser.client.refresh().await.unwrap();
        browser.until("link", "Connected").await;
        assert_eq!(browser.client.current_url().await.unwrap().as_str(), address);
        browser.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_token_out_of_the_address() {
    in_time(async {
        let gateway = Gateway::start(&[]).await.ready().await;
        let browser = Browser::start(1280, 900).await;
        browser.open_console(&gateway.console).await;
        let shown = browser.client.current_url().await.unwrap();
        assert_eq!(shown.as_str(), format!("{}/", gateway.admin));
        // Gone, and never taken for working.
        gateway.kill().await;
        browser.until("link", "Connection to the gateway lost, since ").await;
        browser.close().await;
    })
    .await;
}
