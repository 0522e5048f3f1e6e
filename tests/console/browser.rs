//! A browser with the console open.

use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::driver::Driver;
use crate::process::{PATIENCE, eventually};
use crate::web::call;

/// A headless Chromium.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Driver,
}

impl Browser {
    /// Starts one with a window of this size.
    pub(crate) async fn start(width: u32, height: u32) -> Self {
        let driver = Driver::start().await;
        let profile = driver.directory.path().join("profile");
        let options = json!({
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--force-color-profile=srgb",
                "--lang=en",
                format!("--user-data-dir={}", profile.display()),
            ],
        });
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("it is an object")
        };
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let client = timeout(PATIENCE, builder.connect(&driver.url))
            .await
            .expect("the browser starts in time")
            .expect("the browser starts");
        let browser = Self { client, driver };
        // A window of a desktop cannot be as narrow as a phone's.
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        browser
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Opens the console and waits until it shows something.
    pub(crate) async fn open_console(&self, url: &str) {
        self.open(url).await;
        self.until("link", "Connected").await;
    }

    /// The element, when it is there.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self
            .client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css(css))
            .await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css)
            .await
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// The words in an element as they are shown; empty if there is none.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "const it = document.querySelector(arguments[0]); return it ? it.innerText : '';";
        let text = self.run(script, &[css.into()]).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element, named by its id, says such words; what it says then.
    pub(crate) async fn until(&self, id: &str, words: &str) -> String {
        self.until_in(&format!("#{id}"), words).await
    }

    /// Waits until an element says such words; what it says then.
    pub(crate) async fn until_in(&self, css: &str, words: &str) -> String {
        let found = timeout(
            PATIENCE,
            eventually(async || Some(self.text(css).await).filter(|text| text.contains(words))),
        );
        match found.await {
            Ok(text) => text,
            Err(_) => panic!("{css} does not say {words:?} but {:?}", self.text(css).await),
        }
    }

    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let done = self.client.execute(script, arguments.to_vec()).await;
        done.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Presses Tab until the focus is on such an element.
    pub(crate) async fn tab_to(&self, css: &str) {
        for _ in 0..MOST_TABS {
            let is_there = "return document.activeElement.matches(arguments[0]);";
            if self.run(is_there, &[css.into()]).await == true {
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("{css} cannot be reached by keyboard");
    }

    /// What the browser complained of since this was last asked: scripts, resources, violations of the page's policy.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.ask("se/log", json!({ "type": "browser" })).await;
        let entries = log["value"].as_array().expect("a log is a list");
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Has the browser do what only its developers' tools can.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        let done = self
            .ask("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
            .await;
        assert!(done["value"]["error"].is_null(), "{command}: {done}");
    }

    /// Ends it in good order.
    pub(crate) async fn close(self) {
        let _ = timeout(Duration::from_secs(5), self.client.close()).await;
    }

    async fn ask(&self, what: &str, body: Value) -> Value {
        let session = self.client.session_id().await.unwrap().expect("there is a session");
        let url = format!("{}/session/{session}/{what}", self.driver.url);
        call(Method::POST, &url, &[], &body.to_string()).await.json()
    }
}

const MOST_TABS: usize = 60;
