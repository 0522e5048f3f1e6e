//! The newcomer's way: register, call, stream, revoke.

use fantoccini::key::Key;

use crate::browser::Browser;
use crate::limit::in_time;
use crate::process::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn sees_a_running_stream_end_the_moment_it_is_revoked() {
    in_time(async {
        let gateway = Gateway::start(&[]).await.ready().await;
        let browser = Browser::start(1280, 900).await;
        browser.open_console(&gateway.console).await;
        assert!(browser.text("#chart").await.contains("No revocation yet"));

        browser.click("#register button").await;
        browser.click("[data-action=call]").await;
        browser.until("agent-list", "Called\n200").await;
        browser.click("[data-action=stream]").await;
        // It runs: one tick comes after another.
        browser.until("agent-list", "Stream open: 3 ticks so far").await;
        browser.until("streams", "GET /events").await;
        browser.click("[data-action=revoke]").await;

        let agent = browser.until("agent-list", "after the revocation, ").await;
        let cut: f64 = agent
            .split_once("Stream cut ")
            .unwrap()
            .1
            .split_once(" ms")
            .unwrap()
            .0
            .parse()
            .unwrap();
        assert!(cut < 1000.0, "{agent}");
        browser.until_in("#streams .cut", "after the revocation").await;
        browser.until("agent-list", "Agent has been revoked").await;
        browser.click("[data-action=call]").await;
        browser.until("agent-list", "Called\n401").await;
        // All three marks, and the same in words.
        for mark in ["circle.force", "rect.refused", "path.cut-mark"] {
            browser.find(&format!("#chart svg {mark}.point")).await;
        }
        let chart = browser.find("#chart svg").await;
        assert_eq!(chart.attr("role").await.unwrap().unwrap(), "img");
        let words = chart.attr("aria-label").await.unwrap().unwrap();
        for series in [
            "1 revocation. ",
            "In force: median ",
            "First refusal: median ",
            "Stream cut: median ",
        ] {
            assert!(words.contains(series), "{words}");
        }
        for entry in [
            "Revoked by an event",
            "GET /events cut ",
            "GET /hello refused: revoked, by an event",
        ] {
            browser.until("log", entry).await;
        }
        browser.until("verdict-words", "Enforcing 1 event and ").await;

        // And an agent goes on with a new token.
        browser.click("#register button").await;
        browser.click("li[data-agent=agent-2] [data-action=reissue]").await;
        browser.until_in("li[data-agent=agent-2]", "New token\n200").await;
        browser.until_in("li[data-agent=agent-2]", "Old token\n401").await;
        assert_eq!(browser.complaints().await, [""; 0]);
        browser.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn does_it_all_by_keyboard_on_a_phone() {
    in_time(async {
    let gateway = Gateway::start(&[]).await.ready().await;
    let browser = Browser::start(360, 740).await;
    browser.open_console(&gateway.console).await;
    // The first stop leads past the head of the page.
    browser.press(Key::Tab).await;
    browser.tab_to(".skip").await;

    browser.tab_to("#register button").await;
    browser.press(Key::Enter).await;
    browser.find("#agent-list li").await;
    browser.tab_to("[data-action=call]").await;
    browser.press(Key::Enter).await;
    browser.until("agent-list", "Called\n200").await;
    browser.tab_to("[data-action=stream]").await;
    browser.press(Key::Enter).await;
    browser.until("agent-list", "Stream open: 2 ticks so far").await;
    browser.tab_to("[data-action=revoke]").await;
    browser.press(Key::Enter).await;
    browser.until("agent-list", "after the revocation, ").await;
    // The focus is where it was, though there is nothing left to do there.
    browser.tab_to("[data-action=revoke]").await;
    browser.find("#chart svg circle.point").await;
    browser.until("log", "GET /events cut ").await;
    browser.until("announce", "").await;

    let widths = browser
        .run("return [document.documentElement.scrollWidth, window.innerWidth];", &[])
        .await;
    assert_eq!(widths[0], widths[1], "the page scrolls sideways");
    assert_eq!(widths[1], 360);
    // Nor is anything cut off at the edge, but in what scrolls by itself.
    let cut_off = browser
        .run(
            "return [...document.querySelectorAll('body *')].filter((it) => !it.closest('.scroll, .hidden'))
                .filter((it) => it.getBoundingClientRect().right > innerWidth + 1).map((it) => it.outerHTML.slice(0, 80));",
            &[],
        )
        .await;
    assert_eq!(cut_off, serde_json::json!([]));
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
    })
    .await;
}
