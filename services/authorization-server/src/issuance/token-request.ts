import type { IncomingMessage } from "node:http";
import { type PlainRequest, readPlainRequest } from "../clients/index.ts";

const common = [
  "grant_type",
  "scope",
  "resource",
  "client_id",
  "client_secret",
  "client_assertion_type",
  "client_assertion",
];
const parameters = new Set([...common, "refresh_token"]);

/** A plain request for a token, by what it is for. */
export type TokenRequest = PlainRequest & { readonly grantType: "client_credentials" | "refresh_token" };

/** The request, if it is plain and asks for a client's own token, or for new ones in place of a refresh token. */
export function readTokenRequest(req: IncomingMessage, body: Buffer): TokenRequest | undefined {
  const request = readPlainRequest(req, body, parameters);
  const { grant_type: grantType, refresh_token: refreshToken } = request?.form ?? {};
  if (request === undefined) return undefined;
  if (grantType === "client_credentials" && refreshToken === undefined) return { ...request, grantType };
  return grantType === "refresh_token" && refreshToken !== undefined ? { ...request, grantType } : undefined;
}
