// Calls with grpc-web, in a browser. Messages are bytes.

import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

import { LIMIT, bearer, outcomeOfCode } from "./calls.mjs";

const REQUEST = new Uint8Array([0x0a, 2, 0x6d, 0x31]);

class Message {}

function method(type, name) {
  const serialize = () => REQUEST;
  const deserialize = (bytes) => bytes;
  return new MethodDescriptor(`/calls.Calls/${name}`, type, Message, Message, serialize, deserialize);
}

const UNARY = method(MethodType.UNARY, "Unary");
const STREAM = method(MethodType.SERVER_STREAMING, "Stream");

export function overGrpcWeb(base, format, tell) {
  const client = new GrpcWebClientBase({ format });
  return (id, nth, renewed) =>
    new Promise((resolve) => {
      const metadata = { "x-call-id": id, authorization: bearer(id, renewed) };
      let received = 0;
      const done = (code, message) => {
        if (code !== 0) tell(`${id} ${code} ${message}`);
        clearTimeout(timer);
        resolve([code === "hang" ? code : outcomeOfCode(code, received), received]);
      };
      const timer = setTimeout(() => done("hang"), LIMIT);
      if (nth % 2 === 0) {
        client.rpcCall(`${base}/calls.Calls/Unary`, new Message(), metadata, UNARY, (error) => {
          if (!error) received = 1;
          done(error?.code ?? 0, error?.message);
        });
        return;
      }
      const stream = client.serverStreaming(`${base}/calls.Calls/Stream`, new Message(), metadata, STREAM);
      stream.on("data", () => received++);
      stream.on("error", (error) => done(error.code, error.message));
      stream.on("end", () => done(0));
    });
}
