import type { DevFile } from "@remit/embedded";
import type { JsonObject } from "@remit/protocol";
import { AnswerRefused } from "../refusals.ts";
import { callAsAdministrator } from "../running/index.ts";

const root = "/api/v1/webhooks";

export const read = (dev: DevFile, path = ""): Promise<JsonObject> =>
  call(dev, { method: "GET", path, scope: "webhooks:read" });

export const write = (
  dev: DevFile,
  wanted: { readonly method: "POST" | "PATCH" | "DELETE"; readonly path: string; readonly body?: object },
): Promise<JsonObject> => call(dev, { ...wanted, scope: "webhooks:write" });

/** What the API advises is for programs; where a command is the remedy, it is named instead. */
const remedies: Readonly<Record<string, string>> = {
  not_found: "remit webhooks list shows the webhooks, remit webhooks deliveries WEBHOOK their deliveries.",
  webhook_inactive: "Turn it on first: remit webhooks enable WEBHOOK.",
  webhook_limit_reached:
    "Remove one (remit webhooks delete WEBHOOK), or let one receive more kinds of events.",
};

async function call(
  dev: DevFile,
  wanted: Omit<Parameters<typeof callAsAdministrator>[1], "origin">,
): Promise<JsonObject> {
  try {
    return await callAsAdministrator(dev, { ...wanted, origin: dev.issuer, path: root + wanted.path });
  } catch (error) {
    const remedy = error instanceof AnswerRefused ? remedies[error.code ?? ""] : undefined;
    if (!(error instanceof AnswerRefused) || remedy === undefined) throw error;
    throw new AnswerRefused(error.message, { code: error.code, remedy });
  }
}
