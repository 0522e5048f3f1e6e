//! Texts of others.

use crate::browser::Browser;
use crate::limit::in_time;
use crate::process::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn shows_markup_in_messages_as_text() {
    in_time(async {
        let gateway = Gateway::start(&[]).await.ready().await;
        let browser = Browser::start(1280, 900).await;
        browser.open_console(&gateway.console).await;
        let nasty = r#"<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"#;
        // One that is put aside, one that is ignored, and one that came before the page was opened again.
        for reason in ["agent_revoked", "of no concern"] {
            let data = serde_json::json!({ "agentId": nasty, "reason": reason, "metadata": { "agentDid": nasty } });
            let message = serde_json::json!({ "type": "agent.auth.revoked", "data": data });
            gateway.event(&message.to_string()).await;
        }
        for _ in 0..2 {
            browser.until("log", "Message put aside, it cannot be read").await;
            browser.until("log", "Message ignored").await;
            assert_eq!(browser.text("#log").await.matches(nasty).count(), 2);
            let made = browser
                .run("return document.querySelectorAll('#log img, #log script').length;", &[])
                .await;
            assert_eq!(made, 0);
            assert_eq!(browser.client.title().await.unwrap(), "Revocation console");
            assert_eq!(browser.complaints().await, [""; 0]);
            browser.client.refresh().await.unwrap();
        }
        browser.close().await;
    })
    .await;
}
