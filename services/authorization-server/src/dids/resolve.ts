import { type Id, parseId, secondMs } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { isJsonObject, type JsonObject, Problem, readJson } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import { type DidDocument, didOfServer } from "./did.ts";
import { documentUrlOf } from "./did-web.ts";
import { didDocumentOfAgent, didDocumentOfServer, metadataOfAgent } from "./dids.ts";
import { didJson } from "./media-types.ts";
import { publishedAgent } from "./published-agent.ts";

export type ResolveDeps = {
  readonly issuer: string;
  readonly db: Database;
  readonly keys: IssuerKeys;
  /** The door to hosts that tenants name (W05). */
  readonly outbound: Pick<Outbound, "request">;
};

/** DID Resolution §4: what resolving a DID answers. */
export type Resolution = {
  readonly didDocument: DidDocument | JsonObject;
  readonly didDocumentMetadata: Readonly<Record<string, string>>;
  readonly didResolutionMetadata: { readonly contentType: string };
};

const timeoutMs = 5 * secondMs;
const bodyBytesMax = 64 * 1024;

/**
 * Resolves a did:web: our own from the database, another host's through the guard, within limits of time and size, with
 * no redirect followed, and only if the document is about the DID that was asked for. Refusals: `did_invalid`,
 * `not_found`, `document_gone`, `did_unresolvable`.
 */
export async function resolveDid(deps: ResolveDeps, did: string, asking: Id<"tenant">): Promise<Resolution> {
  const url = documentUrlOf(did);
  if (url === undefined) throw new Problem("did_invalid");
  const own = didOfServer(deps.issuer);
  // Hosts are compared without regard to case, as DNS does; an agent's id has one spelling.
  const [place = "", ...path] = did.slice("did:web:".length).split(":");
  const ours = `did:web:${place.toLowerCase().replace("%3a", "%3A")}` === own;
  return ours ? resolveOwn(deps, path, asking) : resolveForeign(deps, { did, url });
}

async function resolveOwn(
  { issuer, db, keys }: ResolveDeps,
  path: readonly string[],
  asking: Id<"tenant">,
): Promise<Resolution> {
  if (path.length === 0) return resolved(didDocumentOfServer(issuer, keys));
  const [folder, name, ...rest] = path;
  const id = folder === "agents" && rest.length === 0 ? parseId("agent", name) : undefined;
  if (id === undefined) throw new Problem("not_found", { detail: "There is no such DID here." });
  const found = await publishedAgent(db, id);
  const { agent } = found;
  // When a private agent was made and last changed is what its organization does, which others are not told.
  const isTold = agent.isPublic || agent.tenant === asking;
  return resolved(didDocumentOfAgent(issuer, found), isTold ? metadataOfAgent(agent) : {});
}

async function resolveForeign(
  { outbound }: ResolveDeps,
  { did, url }: { readonly did: string; readonly url: string },
): Promise<Resolution> {
  const headers = { accept: "application/did+json, application/did+ld+json, application/json;q=0.9" };
  const { status, body } = await outbound
    .request({ url, headers, timeoutMs, bodyBytesMax })
    .catch((cause: unknown) => {
      throw unresolvable("Its host cannot be reached.", cause);
    });
  if (status === 410) throw new Problem("document_gone");
  if (status === 404) throw new Problem("not_found", { detail: "Its host has no such DID document." });
  if (status !== 200) throw unresolvable(`Its host answered ${status}.`);
  const read = readJson(body, bodyBytesMax);
  const document = "value" in read && isJsonObject(read.value) ? read.value : undefined;
  // did:web §3.2, step 6: a document about another subject proves nothing about this one.
  if (document?.["id"] !== did) throw unresolvable("What its host serves is no document of this DID.");
  return resolved(document);
}

const unresolvable = (detail: string, cause?: unknown): Problem =>
  new Problem("did_unresolvable", { detail, ...(cause === undefined ? {} : { cause }) });

const resolved = (
  didDocument: Resolution["didDocument"],
  didDocumentMetadata: Resolution["didDocumentMetadata"] = {},
): Resolution => ({ didDocument, didDocumentMetadata, didResolutionMetadata: { contentType: didJson } });
