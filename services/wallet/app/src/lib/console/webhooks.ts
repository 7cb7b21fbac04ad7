import type { OrganizationAnswer } from "../../../../src/api/index.ts";

export type WebhookStanding = "on" | "off" | "failing" | "disabled";

export function standingOfWebhook(webhook: OrganizationAnswer<"webhook">): {
  readonly word: WebhookStanding;
  readonly mark: "live" | "waits" | "stopped" | "over";
} {
  if (webhook.disabled_at !== null) return { word: "disabled", mark: "stopped" };
  if (!webhook.active) return { word: "off", mark: "over" };
  return webhook.failing_since === null ? { word: "on", mark: "live" } : { word: "failing", mark: "waits" };
}
