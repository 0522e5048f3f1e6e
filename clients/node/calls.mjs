// The calls that every client makes, and what it prints of them: see ../README.md. Pages of a browser use it as well.

export const PARALLEL = 8;
export const LIMIT = 20_000; // milliseconds for a call
const KIB = 1024;

export function bearer(id, renewed) {
  const part = (claims) => btoa(JSON.stringify(claims)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  const token = renewed === 0 ? id : `${id}+${renewed}`;
  return `Bearer ${part({ alg: "none" })}.${part({ jti: token })}.x`;
}

// Method, path, and bytes to upload, of the call of a number over HTTP.
export function call(nth) {
  return [
    ["POST", "/work", 100],
    ["POST", "/work", 64 * KIB * (1 + (Math.floor(nth / 5) % 32))],
    ["GET", "/download"],
    ["GET", "/download/sized"],
    ["GET", "/events"],
  ][nth % 5];
}

export function outcome(status) {
  return { 200: "ok", 401: "refused", 403: "withheld" }[status] ?? `status-${status}`;
}

// What a call over gRPC, gRPC-Web or Connect came to, by its code.
export function outcomeOfCode(code, received) {
  if (code === 16 || code === 7) return received > 0 ? "cut" : { 16: "refused", 7: "withheld" }[code];
  return { 0: "ok", 4: "hang" }[code] ?? `code-${code}`;
}

// Calls `one(id, nth, renewed)` for each call, several at once, and once more with a new token for whoever was refused. It returns
// outcome and what was received.
export async function run(prefix, count, one, report) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const nth = next++;
      const id = `${prefix}-${nth}`;
      let renewed = 0;
      let done = await one(id, nth, renewed);
      if (done[0] === "refused") {
        renewed = 1;
        done = await one(id, nth, renewed);
      }
      report(`${id} ${done[0]} ${done[1]} ${renewed}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
