// A resource server that takes tokens from requests as passport-jwt does, and verifies them with a library.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { SDJwtInstance } from "@sd-jwt/core";
import { parse } from "cookie";
import { jwtVerify, SignJWT } from "jose";
import jsonwebtoken from "jsonwebtoken";
import { ExtractJwt } from "passport-jwt";

const [publicFile, privateFile, library] = process.argv.slice(2);
const publicKey = createPublicKey(readFileSync(publicFile));
const privateKey = createPrivateKey(readFileSync(privateFile));

const place = ExtractJwt.fromExtractors([
    ExtractJwt.fromAuthHeaderAsBearerToken(),
    ExtractJwt.fromUrlQueryParameter("access_token"),
    ExtractJwt.fromHeader("x-token"),
    (request) => parse(request.headers.cookie ?? "").session,
]);

const disclosing = new SDJwtInstance({
    signAlg: "RS256",
    signer: (data) => sign("sha256", Buffer.from(data), privateKey).toString("base64url"),
    verifier: (data, signature) => verify("sha256", Buffer.from(data), publicKey, Buffer.from(signature, "base64url")),
    hashAlg: "sha-256",
    hasher: (data) => createHash("sha256").update(data).digest(),
    saltGenerator: () => randomBytes(16).toString("base64url"),
});

const readers = {
    jose: async (token) => (await jwtVerify(token, publicKey, { algorithms: ["RS256"] })).payload,
    jsonwebtoken: async (token) => jsonwebtoken.verify(token, publicKey, { algorithms: ["RS256"] }),
    "sd-jwt": async (token) => (await disclosing.verify(token)).payload,
};

const makers = {
    jose: ({ claims, header }) => new SignJWT(claims).setProtectedHeader({ alg: "RS256", ...header }).sign(privateKey),
    jsonwebtoken: async ({ claims, header }) => jsonwebtoken.sign(claims, privateKey, { algorithm: "RS256", header: { alg: "RS256", ...header } }),
    // What is hidden by `frame`, and of that what the holder shows.
    "sd-jwt": async ({ claims, frame, shown }) => {
        const issued = await disclosing.issue(claims, frame);
        return shown ? disclosing.present(issued, shown) : issued;
    },
};

// A text or number as a text, and all of those in an array. Nothing else is an id.
const ids = (value) => {
    if (Array.isArray(value)) {
        return value.flatMap(ids).filter((id) => id !== null);
    }
    return typeof value === "string" || typeof value === "number" ? String(value) : null;
};

const server = createServer(async (request, response) => {
    const answer = (status, body) => {
        response.writeHead(status, { "content-length": Buffer.byteLength(body) });
        response.end(body);
    };
    try {
        if (request.url === "/make") {
            const parts = [];
            for await (const part of request) {
                parts.push(part);
            }
            return answer(200, await makers[library](JSON.parse(Buffer.concat(parts).toString())));
        }
        const token = place(request);
        if (!token) {
            return answer(401, "no token");
        }
        const claims = await readers[library](token);
        // Some take a text for claims, which has members of its own.
        const { jti, sub, sid, act, iat } = Object(claims) === claims ? claims : {};
        answer(200, JSON.stringify({ jti: ids(jti), sub: ids(sub), sid: ids(sid), act: Object(act) === act ? ids(act.sub) : null, iat }));
    } catch (error) {
        answer(401, String(error));
    }
});
// No connection is closed between two requests.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(`listening http://127.0.0.1:${server.address().port}`));
