// Calls with @connectrpc/connect-node: connect-1.1, connect-2, connect-grpc, connect-grpc-web.

import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

import { LIMIT, bearer, outcomeOfCode } from "./calls.mjs";

const TRANSPORTS = {
  "connect-1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  "connect-2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  "connect-grpc": (baseUrl) => createGrpcTransport({ baseUrl }),
  "connect-grpc-web": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
};

// A method as generated code would have it.
function method(name, methodKind) {
  const parent = { kind: "service", typeName: "calls.Calls", name: "Calls", method: {}, methods: [] };
  const types = { input: StringValueSchema, output: StringValueSchema };
  return { kind: "rpc", methodKind, name, localName: name.toLowerCase(), parent, ...types, idempotency: 0, deprecated: false };
}

const UNARY = method("Unary", "unary");
const STREAM = method("Stream", "server_streaming");

async function* one(message) {
  yield message;
}

export function overConnect(base, what, tell) {
  const transport = TRANSPORTS[what](base);
  const hasOwnEnd = !what.match(/^connect-\d/);
  return async (id, nth, renewed) => {
    const header = new Headers({ "x-call-id": id, authorization: bearer(id, renewed) });
    const request = create(StringValueSchema, { value: "m1" });
    let received = 0;
    try {
      if (nth % 2 === 0) {
        await transport.unary(UNARY, undefined, LIMIT, header, request);
        received = 1;
      } else {
        const stream = await transport.stream(STREAM, undefined, LIMIT, header, one(request));
        for await (const _ of stream.message) received++;
      }
      return ["ok", received];
    } catch (error) {
      tell(`${id} ${error} ${error.cause ?? ""}`);
      const { code } = ConnectError.from(error);
      const outcome = outcomeOfCode(code, received);
      // A unary call of Connect is plain HTTP, and has no end of its own: what breaks off is whatever the library calls it.
      const mayBreakOff = !hasOwnEnd && nth % 2 === 0;
      return [mayBreakOff && outcome.startsWith("code-") ? "cut" : outcome, received];
    }
  };
}
