//! Pictures of the console, for people to look at: `SHOTS` names the directory to put them in. They are drawn in any case, so
//! that nothing rots.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::browser::Browser;
use crate::limit::in_time;
use crate::process::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn shots_of_a_quiet_day() {
    in_time(async {
        let gateway = Gateway::start(&["--canary", "5s"]).await.ready().await;
        let browser = Browser::start(1280, 900).await;
        browser.open_console(&gateway.console).await;
        for agent in 1..=6 {
            browser.click("#register button").await;
            let agent = format!("li[data-agent=agent-{agent}]");
            browser.click(&format!("{agent} [data-action=stream]")).await;
            browser.until_in(&agent, "Stream open: 2 ticks").await;
            browser.click(&format!("{agent} [data-action=revoke]")).await;
            browser.until_in(&agent, "after the revocation, ").await;
        }
        gateway.refresh().await;
        browser.until("verdict-words", "a list of 6").await;
        browser.click("#register button").await;
        browser.click("li[data-agent=agent-7] [data-action=stream]").await;
        browser.until_in("li[data-agent=agent-7]", "Stream open: 2 ticks").await;
        for device in [DESKTOP, PHONE] {
            for scheme in ["light", "dark"] {
                shoot(&browser, device, scheme, "").await;
            }
        }
        assert_eq!(browser.complaints().await, [""; 0]);
        browser.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shots_of_trouble() {
    in_time(async {
        // Nobody is there to answer.
        let gateway = Gateway::start(&["--registry", "http://127.0.0.1:9", "--canary", "5s"]).await;
        let browser = Browser::start(1280, 900).await;
        browser.open(&gateway.admin).await;
        browser.until("unlock-why", "it takes the token").await;
        shoot(&browser, DESKTOP, "light", "-locked").await;
        browser.open_console(&gateway.console).await;
        browser.until("verdict-words", "Refusing everyone").await;
        browser.until("elsewhere", "a service of its own").await;
        shoot(&browser, DESKTOP, "light", "-refusing").await;
        shoot(&browser, PHONE, "dark", "-refusing").await;
        gateway.kill().await;
        browser.until("link", "Connection to the gateway lost").await;
        shoot(&browser, DESKTOP, "dark", "-lost").await;
        browser.close().await;
    })
    .await;
}

async fn shoot(browser: &Browser, (device, width, height): (&str, u32, u32), scheme: &str, what: &str) {
    let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
    browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    browser
        .devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }))
        .await;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
    browser
        .run("scrollTo(0, 0); document.activeElement.blur(); drawChart();", &[])
        .await;
    let shot = browser.client.screenshot().await.unwrap();
    if let Some(directory) = std::env::var_os("SHOTS").map(PathBuf::from) {
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{device}-{scheme}{what}.png")), shot).unwrap();
    }
}

const DESKTOP: (&str, u32, u32) = ("desktop", 1280, 900);
const PHONE: (&str, u32, u32) = ("phone", 390, 844);
