import type { IncomingMessage } from "node:http";
import { type PlainRequest, readPlainRequest } from "../clients/index.ts";

const parameters = new Set([
  "grant_type",
  "scope",
  "resource",
  "client_id",
  "client_secret",
  "client_assertion_type",
  "client_assertion",
]);

/** The request, if it is plain and asks for a client's own token. */
export function readTokenRequest(req: IncomingMessage, body: Buffer): PlainRequest | undefined {
  const request = readPlainRequest(req, body, parameters);
  return request?.form["grant_type"] === "client_credentials" ? request : undefined;
}
