// Calls with @grpc/grpc-js, with a policy of three attempts. Messages are bytes.

import { Client, Metadata, credentials, status } from "@grpc/grpc-js";

import { LIMIT, bearer, outcomeOfCode } from "./calls.mjs";

const POLICY = {
  methodConfig: [
    {
      name: [{}],
      retryPolicy: { maxAttempts: 3, initialBackoff: "0.01s", maxBackoff: "0.02s", backoffMultiplier: 1, retryableStatusCodes: ["UNAVAILABLE"] },
    },
  ],
};
const REQUEST = Buffer.from("\x0a\x02m1");
const same = (bytes) => bytes;

export function overGrpc(base, tell) {
  const options = { "grpc.service_config": JSON.stringify(POLICY), "grpc.enable_retries": 1 };
  const client = new Client(base.replace("http://", ""), credentials.createInsecure(), options);
  return (id, nth, renewed) =>
    new Promise((resolve) => {
      const metadata = new Metadata();
      metadata.set("x-call-id", id);
      metadata.set("authorization", bearer(id, renewed));
      const deadline = Date.now() + LIMIT;
      let received = 0;
      const done = (error) => {
        if (error) tell(`${id} ${error}`);
        resolve([outcomeOfCode(error?.code ?? status.OK, received), received]);
      };
      if (nth % 2 === 0) {
        client.makeUnaryRequest("/calls.Calls/Unary", same, same, REQUEST, metadata, { deadline }, (error) => {
          if (!error) received = 1;
          done(error);
        });
        return;
      }
      const stream = client.makeServerStreamRequest("/calls.Calls/Stream", same, same, REQUEST, metadata, { deadline });
      stream.on("data", () => received++);
      stream.on("end", () => done());
      stream.on("error", done);
    });
}
