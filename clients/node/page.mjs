// What a page does in a browser: `page.html?base=…&prefix=…&count=…&what=fetch | text | binary`. The origin that it came from is another
// than that of the calls, and takes its reports.

import { run } from "./calls.mjs";
import { overFetch } from "./fetch.mjs";
import { overGrpcWeb } from "./grpc_web.mjs";

const asked = Object.fromEntries(new URLSearchParams(location.search));
const tell = (path, line) => navigator.sendBeacon(path, line);
const note = (line) => tell("/note", line);
const one =
  asked.what === "fetch"
    ? (id, nth, renewed) => overFetch((url, options) => fetch(url, options), asked.base, id, nth, renewed, note)
    : overGrpcWeb(asked.base, asked.what, note);

const lines = [];
try {
  await run(asked.prefix, Number(asked.count), one, (line) => lines.push(line));
} catch (error) {
  note(`${error.stack}`);
}
await fetch("/end", { method: "POST", body: lines.join("\n") });
