import { randomBytes } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { generateJwk } from "@remit/protocol/node";
import type { Cast } from "./token-recipes.ts";

export type Claims = Record<string, unknown>;
export const nowS = (): number => Math.floor(systemClock.now() / 1000);
export const newJti = (): string => randomBytes(16).toString("base64url");
const long = "x".repeat(300);
/** Keys of nobody, the same for both of a pair. */
export const stranger = generateJwk("ES256");

/** What can be wrong, or unusual and right, about a client assertion. `usual` is a good one. */
export const assertions: Readonly<
  Record<
    string,
    (cast: Cast) => {
      claims?: Claims;
      header?: Claims;
      text?: (jws: string) => string;
      key?: "other" | "dpop";
    }
  >
> = {
  usual: () => ({}),
  "aud of the endpoint": ({ issuer }) => ({ claims: { aud: `${issuer}/oauth/token` } }),
  "aud of an alias": ({ issuer }) => ({ claims: { aud: `${issuer}/api/v1/token` } }),
  "aud as an array": ({ issuer }) => ({ claims: { aud: [issuer] } }),
  "aud of another": () => ({ claims: { aud: "https://other.example" } }),
  "aud with a slash": ({ issuer }) => ({ claims: { aud: `${issuer}/` } }),
  "no aud": () => ({ claims: { aud: undefined } }),
  "no exp": () => ({ claims: { exp: undefined } }),
  expired: () => ({ claims: { iat: nowS() - 100, exp: nowS() - 30 } }),
  "exp a year ahead": () => ({ claims: { exp: nowS() + 31_536_000 } }),
  "exp as text": () => ({ claims: { exp: String(nowS() + 60) } }),
  "exp with a fraction": () => ({ claims: { exp: nowS() + 60.5 } }),
  "exp beyond reason": () => ({ claims: { exp: 1e300 } }),
  "no iat": () => ({ claims: { iat: undefined } }),
  "iat ahead": () => ({ claims: { iat: nowS() + 120, exp: nowS() + 180 } }),
  "iat a little ahead": () => ({ claims: { iat: nowS() + 30, exp: nowS() + 90 } }),
  "nbf past": () => ({ claims: { nbf: nowS() - 30 } }),
  "nbf a little ahead": () => ({ claims: { nbf: nowS() + 8 } }),
  "nbf ahead": () => ({ claims: { nbf: nowS() + 40 } }),
  "nbf as text": () => ({ claims: { nbf: "soon" } }),
  "no jti": () => ({ claims: { jti: undefined } }),
  "jti empty": () => ({ claims: { jti: "" } }),
  "jti a number": () => ({ claims: { jti: 7 } }),
  "jti too long": () => ({ claims: { jti: long } }),
  "jti of 256": () => ({ claims: { jti: newJti().padEnd(256, "x") } }),
  "iss of another": () => ({ claims: { iss: "somebody-else" } }),
  "no iss": () => ({ claims: { iss: undefined } }),
  "sub of another": () => ({ claims: { sub: "somebody-else" } }),
  "sub of nobody": () => ({
    claims: { sub: "agt_00000000000000000000000000", iss: "agt_00000000000000000000000000" },
  }),
  "no sub": () => ({ claims: { sub: undefined } }),
  "more claims": () => ({ claims: { scope: "x", nested: { a: [1, 2] } } }),
  "typ of another JWT": () => ({ header: { typ: "at+jwt" } }),
  "typ of an authentication": () => ({ header: { typ: "client-authentication+jwt" } }),
  crit: () => ({ header: { crit: ["exp"] } }),
  jku: () => ({ header: { jku: "https://evil.example/keys" } }),
  "a kid of nobody": () => ({ header: { kid: "nobody" } }),
  "kid as a path": () => ({ header: { kid: "../../etc/passwd" } }),
  "another key": () => ({ key: "other" }),
  "the DPoP key": () => ({ key: "dpop" }),
  cut: () => ({ text: (jws) => jws.slice(0, -6) }),
  padded: () => ({ text: (jws) => `${jws}==` }),
  "two parts": () => ({ text: (jws) => jws.split(".").slice(0, 2).join(".") }),
  "four parts": () => ({ text: (jws) => `${jws}.x` }),
  "no signature": () => ({ text: (jws) => `${jws.split(".").slice(0, 2).join(".")}.` }),
  "another payload": () => ({ text: (jws) => swapPart(jws, 1, { sub: "x" }) }),
  "alg none": () => ({ text: (jws) => swapPart(jws, 0, { alg: "none", typ: "JWT" }) }),
  "alg HS256": () => ({ text: (jws) => swapPart(jws, 0, { alg: "HS256", typ: "JWT" }) }),
  "alg RS256": () => ({ text: (jws) => swapPart(jws, 0, { alg: "RS256", typ: "JWT" }) }),
  "alg Ed25519": () => ({ text: (jws) => swapPart(jws, 0, { alg: "Ed25519", typ: "JWT" }) }),
  "not base64": () => ({ text: () => "!!!.???.***" }),
  "no JSON": () => ({ text: () => "bm90.anNvbg.c2ln" }),
  huge: () => ({ claims: { pad: "x".repeat(9_000) } }),
  "a name twice": () => ({
    text: (jws) =>
      `${jws.split(".")[0]}.${Buffer.from('{"sub":"a","sub":"b"}').toString("base64url")}.${jws.split(".")[2]}`,
  }),
};

const swapPart = (jws: string, index: number, value: object): string =>
  jws
    .split(".")
    .map((part, at) => (at === index ? Buffer.from(JSON.stringify(value)).toString("base64url") : part))
    .join(".");

/** The same for a DPoP proof. `none` sends no header. */
export const proofs: Readonly<
  Record<
    string,
    (cast: Cast) => {
      claims?: Claims;
      header?: Claims;
      text?: (jws: string) => string;
      key?: "other" | "assertion";
    }
  >
> = {
  usual: () => ({}),
  "without a nonce": () => ({ claims: { nonce: undefined } }),
  "another nonce": () => ({ claims: { nonce: "0".repeat(43) } }),
  "nonce a number": () => ({ claims: { nonce: 5 } }),
  "nonce empty": () => ({ claims: { nonce: "" } }),
  "htm GET": () => ({ claims: { htm: "GET" } }),
  "htm in small letters": () => ({ claims: { htm: "post" } }),
  "htu of another": () => ({ claims: { htu: "https://other.example/oauth/token" } }),
  "htu of another path": ({ issuer }) => ({ claims: { htu: `${issuer}/oauth/par` } }),
  "htu with a query": ({ issuer }) => ({ claims: { htu: `${issuer}/oauth/token?a=b#c` } }),
  "htu in capitals": ({ issuer }) => ({ claims: { htu: `${issuer.replace("http", "HTTP")}/oauth/token` } }),
  "htu with a name": ({ issuer }) => ({ claims: { htu: `${issuer.replace("//", "//me@")}/oauth/token` } }),
  "htu no URL": () => ({ claims: { htu: "token" } }),
  "iat old": () => ({ claims: { iat: nowS() - 120 } }),
  "iat ahead": () => ({ claims: { iat: nowS() + 120 } }),
  "iat a little old": () => ({ claims: { iat: nowS() - 30 } }),
  "iat as text": () => ({ claims: { iat: "now" } }),
  "no iat": () => ({ claims: { iat: undefined } }),
  "no jti": () => ({ claims: { jti: undefined } }),
  "jti too long": () => ({ claims: { jti: newJti() + long } }),
  "exp past": () => ({ claims: { exp: nowS() - 30 } }),
  "exp ahead": () => ({ claims: { exp: nowS() + 60 } }),
  "nbf ahead": () => ({ claims: { nbf: nowS() + 30 } }),
  "aud and iss of another": () => ({ claims: { aud: "x", iss: "y", sub: "z" } }),
  "with an ath": () => ({ claims: { ath: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg" } }),
  "typ of another": () => ({ header: { typ: "JWT" } }),
  "no jwk": () => ({ header: { jwk: undefined } }),
  "a private jwk": () => ({ header: { jwk: { ...stranger } } }),
  "another key": () => ({ key: "other" }),
  "the assertion key": () => ({ key: "assertion" }),
  cut: () => ({ text: (jws) => jws.slice(0, -4) }),
  "alg none": () => ({ text: (jws) => swapPart(jws, 0, { alg: "none", typ: "dpop+jwt" }) }),
  "no JWT": () => ({ text: () => "x" }),
  huge: () => ({ claims: { pad: "x".repeat(9_000) } }),
  none: () => ({}),
};
