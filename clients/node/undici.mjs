// Calls with undici's own interface, over connections that are kept.

import { Agent, request } from "undici";

import { LIMIT, bearer, call, outcome } from "./calls.mjs";

export function overUndici(base, tell) {
  const dispatcher = new Agent({ connections: 8 });
  return async (id, nth, renewed) => {
    const [method, path, length] = call(nth);
    const headers = { "x-call-id": id, authorization: bearer(id, renewed) };
    const signal = AbortSignal.timeout(LIMIT);
    let response;
    let received = 0;
    try {
      response = await request(base + path, { method, headers, body: length && "u".repeat(length), signal, dispatcher });
      for await (const piece of response.body) received += piece.length;
      return [outcome(response.statusCode), received];
    } catch (error) {
      tell(`${id} ${error}`);
      if (signal.aborted) return ["hang", received];
      return [response ? "cut" : "nothing", received];
    }
  };
}
