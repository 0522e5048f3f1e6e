// Calls with what Node has or loads: node client.mjs BASE PREFIX COUNT fetch | undici | grpc-js | connect-…

import { run } from "./calls.mjs";

const [base, prefix, count, what] = process.argv.slice(2);
const tell = (line) => process.stderr.write(`${line}\n`);

async function client() {
  if (what === "fetch") {
    const { overFetch } = await import("./fetch.mjs");
    return (id, nth, renewed) => overFetch(fetch, base, id, nth, renewed, tell);
  }
  if (what === "undici") {
    const { overUndici } = await import("./undici.mjs");
    return overUndici(base, tell);
  }
  if (what === "grpc-js") {
    const { overGrpc } = await import("./grpc.mjs");
    return overGrpc(base, tell);
  }
  const { overConnect } = await import("./connect.mjs");
  return overConnect(base, what, tell);
}

await run(prefix, Number(count), await client(), (line) => process.stdout.write(`${line}\n`));
process.exit();
