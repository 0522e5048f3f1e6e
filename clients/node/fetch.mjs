// One call with `fetch`, of Node or of a browser.

import { LIMIT, bearer, call, outcome } from "./calls.mjs";

export async function overFetch(fetch, base, id, nth, renewed, tell) {
  const [method, path, length] = call(nth);
  const headers = { "x-call-id": id, authorization: bearer(id, renewed) };
  const body = length && "u".repeat(length);
  const signal = AbortSignal.timeout(LIMIT);
  let response;
  let received = 0;
  try {
    // Calls of one URL would wait for each other in the cache, and be sent again when the first of them breaks off.
    response = await fetch(base + path, { method, headers, body, signal, cache: "no-store" });
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return [outcome(response.status), received];
      received += value.length;
    }
  } catch (error) {
    tell(`${id} ${error} ${error.cause ?? ""}`);
    if (signal.aborted) return ["hang", received];
    return [response ? "cut" : "nothing", received];
  }
}
