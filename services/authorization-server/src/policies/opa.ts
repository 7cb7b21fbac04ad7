import { toRfc3339 } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { isScope, parseJson } from "@remit/protocol";
import { z } from "zod";
import type { Actions } from "./actions.ts";
import type { PolicyAnswer, PolicyEngine, PolicyRequest } from "./port.ts";

const askedMsMax = 1_000;
const answerBytesMax = 16 * 1024;

/** The AgentIdP's data document: what each call needs. It is evaluated here, as its policy does where no OPA runs. */
const Data = z.strictObject({
  endpoint_permissions: z.record(z.string().max(200), z.array(z.string().max(64)).max(20)),
});
export type OpaData = z.output<typeof Data>;

const Remote = z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(2048) });

type Read<T> = T | { readonly errors: readonly string[] };

/** The document, or why it is none: an action or a scope that there is not would never match, or never be held. */
export function parseOpaData(text: string, actions: Actions): Read<OpaData> {
  const read = parseAs(Data, text);
  if ("errors" in read) return read;
  const errors = Object.entries(read.endpoint_permissions).flatMap(([name, scopes]) => [
    ...(actions.has(name) ? [] : [`${name} is no call of ours`]),
    ...scopes.filter((scope) => !isScope(scope)).map((scope) => `${scope} is no scope`),
  ]);
  return errors.length === 0 ? read : { errors: errors.slice(0, 10) };
}

export const parseOpaRemote = (text: string): Read<z.output<typeof Remote>> => parseAs(Remote, text);

function parseAs<T>(schema: z.ZodType<T>, text: string): Read<T> {
  try {
    const parsed = schema.safeParse(parseJson(new TextEncoder().encode(text)));
    if (parsed.success) return parsed.data;
    return { errors: parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`.trim()) };
  } catch {
    return { errors: ["it is not JSON"] };
  }
}

/** All scopes that the document lists for a call; what it does not list is denied, as its Rego has it. */
export const opaDataEngine = (id: string, { endpoint_permissions: needed }: OpaData): PolicyEngine => ({
  looksAt: { agent: false },
  async decide({ action, principal }) {
    const scopes = Object.hasOwn(needed, action) ? needed[action] : undefined;
    const holds = scopes?.every((scope) => principal.scopes.includes(scope)) === true;
    return { decision: holds ? "allow" : "deny", determining: [`${id}:${action}`], errors: [] };
  },
});

// OPA's Data API: a bare boolean, or an object that says why.
const Answer = z.union([
  z.object({ result: z.boolean() }),
  z.object({
    result: z.object({ allow: z.boolean(), reasons: z.array(z.string().max(200)).max(20).default([]) }),
  }),
]);

/** An OPA elsewhere, asked over its REST Data API. It has a second; no answer, or none that we understand, is a denial. */
export const opaRemoteEngine = (
  id: string,
  { url, outbound }: { readonly url: string; readonly outbound: Pick<Outbound, "request"> },
): PolicyEngine => ({
  looksAt: { agent: true },
  async decide(request) {
    const unasked = (why: string): PolicyAnswer => ({
      decision: "deny",
      determining: [],
      errors: [`${id}: ${why}`],
    });
    try {
      const answer = await outbound.request({
        method: "POST",
        url,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ input: inputOf(request) }),
        timeoutMs: askedMsMax,
        bodyBytesMax: answerBytesMax,
      });
      if (answer.status !== 200) return unasked(`OPA answered ${answer.status}`);
      const read = Answer.safeParse(parseJson(answer.body));
      if (!read.success) return unasked("OPA's answer is neither a boolean nor an object with allow");
      const { result } = read.data;
      const { allow, reasons } = typeof result === "boolean" ? { allow: result, reasons: [] } : result;
      const determining = reasons.length === 0 ? [id] : reasons.map((reason) => `${id}:${reason}`);
      return { decision: allow ? "allow" : "deny", determining, errors: [] };
    } catch {
      return unasked("OPA could not be asked");
    }
  },
});

const inputOf = ({ tenant, principal, client, actors, action, resource, ip, at }: PolicyRequest): object => {
  const colon = action.indexOf(":");
  return {
    tenant,
    principal,
    client,
    actors,
    scopes: principal.scopes,
    action,
    method: action.slice(0, colon),
    path: action.slice(colon + 1),
    resource,
    ip,
    time: toRfc3339(at),
  };
};
