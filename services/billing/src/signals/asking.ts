import { secondMs } from "@remit/kernel";
import type { PeerAnswer } from "@remit/platform/peers";
import { Problem, parseJson, type Scope } from "@remit/protocol";
import { SsfConfiguration } from "@remit/protocol/contracts";
import type { z } from "zod";
import type { SignalDeps } from "./hearing.ts";

const timeoutMs = 10 * secondMs;

type Asked = {
  /** As the CAEP interoperability profile has it: who changes a stream manages it, who hears it reads. */
  readonly scope: Extract<Scope, "ssf.manage" | "ssf.read">;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly url: string;
  readonly body?: unknown;
};

/** Asks the issuer, and nobody else, whatever host an address of its names. */
export function ask({ peer, issuer }: SignalDeps, { scope, method, url, body }: Asked): Promise<PeerAnswer> {
  const at = URL.parse(url);
  if (at?.origin !== issuer) throw odd({ url });
  const path = at.pathname + at.search;
  return peer.call({
    origin: issuer,
    method,
    path,
    scope,
    timeoutMs,
    ...(body === undefined ? {} : { body }),
  });
}

/** Where the issuer's streams are made (SSF 1.0 §7.2): what it says of itself counts only of itself. */
export async function configurationOf({ outbound, issuer }: SignalDeps): Promise<SsfConfiguration> {
  const answer = await outbound.request({ url: `${issuer}/.well-known/ssf-configuration`, timeoutMs });
  const body = answer.status === 200 ? parseJson(answer.body, { refuse: "unavailable" }) : undefined;
  const configuration = read(SsfConfiguration, { status: answer.status, headers: {}, body }, [200]);
  if (configuration.issuer !== issuer) throw odd({ issuer: configuration.issuer });
  return configuration;
}

/** An answer of the issuer as it is to be; whatever else it is, the issuer may answer otherwise the next time. */
export function read<S extends z.ZodType>(
  schema: S,
  { status, body }: PeerAnswer,
  statuses: readonly number[],
): z.output<S> {
  const parsed = schema.safeParse(body);
  if (!statuses.includes(status) || !parsed.success) throw odd({ status, body, why: parsed.error?.message });
  return parsed.data;
}

export const odd = (seen: Readonly<Record<string, unknown>>): Problem =>
  new Problem("unavailable", { detail: "The issuer's streams cannot be had.", private: { signals: seen } });
