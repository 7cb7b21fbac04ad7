import { randomUUID } from "node:crypto";
import { isJsonObject, type JsonObject } from "@remit/protocol";
import { type Fields, valuesOf } from "../proxy/index.ts";
import { type Message, metaOf } from "./messages.ts";

export const sessionHeader = "Mcp-Session-Id";

/**
 * How a call is told that it is paid: by a result that x402's clients read, by the error of MPP, or by the result type of
 * x402's extension.
 */
export type Convention = "result" | "error" | "extension";

/** The mark before a session's name: which convention its client asked for, and whether the upstream knows the rest. */
const marks = { result: "r.", error: "e.", own: "o." } as const;

/**
 * The name under which a client knows its session. A client says once, at the start, that it understands MPP's errors; it
 * repeats the name with each call, at whichever replica, and nothing is kept of whoever has not paid.
 */
export function markedSession(upstream: string | undefined, wantsErrors: boolean): string | undefined {
  if (upstream !== undefined) return (wantsErrors ? marks.error : marks.result) + upstream;
  return wantsErrors ? marks.own + randomUUID() : undefined;
}

export type Session = { readonly wantsErrors: boolean; readonly upstream?: string };

export function sessionOf(fields: Fields): Session {
  const [name] = valuesOf(fields, sessionHeader.toLowerCase());
  if (name === undefined) return { wantsErrors: false };
  if (name.startsWith(marks.own)) return { wantsErrors: true };
  const isMarked = name.startsWith(marks.error) || name.startsWith(marks.result);
  return { wantsErrors: name.startsWith(marks.error), upstream: isMarked ? name.slice(2) : name };
}

/** True when the client that introduces itself understands MPP's errors ("MCP Capability Advertisement"). */
export const advertisesErrors = ({ capabilities }: JsonObject): boolean =>
  isJsonObject(capabilities) && hasMember(capabilities, "experimental", "payment");

/** What this call asks for: by what it says itself (MCP 2026-07-28), by its headers, or by its session. */
export function conventionOf({ params }: Message, fields: Fields): Convention {
  const said = metaOf(params)["io.modelcontextprotocol/clientCapabilities"];
  const capabilities = isJsonObject(said) ? said : {};
  if (hasMember(capabilities, "extensions", "org.x402/payment")) return "extension";
  const asks =
    hasMember(capabilities, "experimental", "payment") || valuesOf(fields, "accept-payment").length > 0;
  return asks || sessionOf(fields).wantsErrors ? "error" : "result";
}

function hasMember(of: JsonObject, group: string, name: string): boolean {
  const found = of[group];
  return isJsonObject(found) && isJsonObject(found[name]);
}

// From here on each result says that it is one.
const typedSince = "2026-07-28";

/** Members that a result needs in the revision of MCP that the call is made in. */
export function resultTypeOf({ params }: Message, fields: Fields): JsonObject {
  const said = metaOf(params)["io.modelcontextprotocol/protocolVersion"];
  const version = typeof said === "string" ? said : valuesOf(fields, "mcp-protocol-version")[0];
  return version !== undefined && version >= typedSince ? { resultType: "complete" } : {};
}
