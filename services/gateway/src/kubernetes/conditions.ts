import { type Instant, toRfc3339 } from "@remit/kernel";

export const conditionTypes = [
  "ModelReady",
  "UpstreamHealthy",
  "PaymentGateReady",
  "RoutePublished",
  "Registered",
  "Ready",
] as const;
export type ConditionType = (typeof conditionTypes)[number];

/** meta/v1 Condition. */
export type Condition = {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
};

/** What was found of one step. */
export type Finding = { readonly ok: boolean; readonly reason: string; readonly message: string };

export type Step = {
  readonly type: Exclude<ConditionType, "Ready">;
  readonly find: () => Finding | Promise<Finding>;
};

/** Takes the steps one after the other: what waits for one that failed is unknown, and Ready is all of them. */
export async function takeSteps(
  steps: readonly Step[],
): Promise<readonly (Finding & { type: ConditionType; known: boolean })[]> {
  const found: (Finding & { type: ConditionType; known: boolean })[] = [];
  let failed: (Finding & { type: ConditionType }) | undefined;
  for (const { type, find } of steps) {
    if (failed !== undefined) {
      found.push({ type, known: false, ok: false, reason: "Waiting", message: `Waits for ${failed.type}.` });
      continue;
    }
    const finding = { type, ...(await find()) };
    found.push({ ...finding, known: true });
    if (!finding.ok) failed = finding;
  }
  const ready =
    failed === undefined
      ? { ok: true, reason: "Ready", message: "It is sold." }
      : { ok: false, reason: failed.reason, message: `${failed.type}: ${failed.message}` };
  return [...found, { type: "Ready", known: true, ...ready }];
}

/** The conditions to write: the time of a transition moves only when a status does. */
export function conditionsOf(
  found: Awaited<ReturnType<typeof takeSteps>>,
  {
    former,
    generation,
    now,
  }: { readonly former: readonly unknown[]; readonly generation: number; readonly now: Instant },
): Condition[] {
  return found.map(({ type, known, ok, reason, message }) => {
    const status = known ? (ok ? "True" : "False") : "Unknown";
    const before = former.find((each) => memberOf(each, "type") === type);
    const since = memberOf(before, "status") === status ? memberOf(before, "lastTransitionTime") : undefined;
    return {
      type,
      status,
      reason,
      message: message.slice(0, 1024),
      observedGeneration: generation,
      lastTransitionTime: typeof since === "string" ? since : toRfc3339(now).replace(/\.\d+Z$/, "Z"),
    };
  });
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
