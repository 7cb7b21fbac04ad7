import { setTimeout as pause } from "node:timers/promises";
import type { DevFile } from "@remit/embedded";
import { newId } from "@remit/kernel";
import { isJsonObject, type JsonObject, type PrivateJwk } from "@remit/protocol";
import { AnswerRefused } from "../../refusals.ts";
import { callWithProof } from "../../running/index.ts";

type Wanted = {
  readonly origin?: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly scope: string;
  readonly body?: object;
  readonly key?: PrivateJwk;
};

/** The public APIs, as the organization's management client, the operator, or an agent with a secret calls them. */
export type Doors = {
  readonly dev: DevFile;
  manage(wanted: Wanted): Promise<JsonObject>;
  operate(wanted: Wanted): Promise<JsonObject>;
  /** With a token of the agent's own, which is one more in its analytics. */
  actAs(agent: SecretAgent, wanted: Wanted): Promise<JsonObject>;
  list(wanted: Omit<Wanted, "method">): Promise<JsonObject[]>;
};

export type SecretAgent = { readonly id: string; readonly secret: string; readonly key: PrivateJwk };

export function openDoors(dev: DevFile): Doors {
  const as = (
    client: { client_id: string; client_secret: string },
    { origin = dev.issuer, ...wanted }: Wanted,
  ) => {
    const call = { ...wanted, origin, idempotencyKey: newId("request") };
    return untilReady(() => callWithProof(dev.issuer, client, call));
  };
  const manage = (wanted: Wanted): Promise<JsonObject> => as(dev.admin, wanted);
  return {
    dev,
    manage,
    operate: (wanted) => {
      if (dev.operator === undefined) throw new Error("this instance has no operator; start it anew");
      return as(dev.operator, wanted);
    },
    actAs: ({ id, secret, key }, wanted) => as({ client_id: id, client_secret: secret }, { ...wanted, key }),
    list: async (wanted) => {
      const { data } = await manage({ ...wanted, method: "GET" });
      return Array.isArray(data) ? data.filter(isJsonObject) : [];
    },
  };
}

const attemptsMax = 12;
const patienceMs = 2_500;
const later: ReadonlySet<string | undefined> = new Set([
  "unavailable",
  "temporarily_unavailable",
  "outbound_failed",
]);

/** A busy machine says so; the same request with the same key is sent again, for half a minute. */
async function untilReady(send: () => Promise<JsonObject>): Promise<JsonObject> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (attempt === attemptsMax || !(error instanceof AnswerRefused) || !later.has(error.code)) throw error;
      await pause(patienceMs);
    }
  }
}

/** A member of an answer that is text. */
export function textOf(answer: JsonObject, name: string): string {
  const value = answer[name];
  if (typeof value !== "string") throw new Error(`the answer has no ${name}`);
  return value;
}
