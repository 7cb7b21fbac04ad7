import { InvariantViolation, invariant } from "@remit/kernel";

/** What a named place in the code does once: dies as by `kill -9`, never goes on, or throws. */
export type Failpoint = { readonly name: string; readonly does: "kill9" | "hang" | "error" };

let armed: Failpoint | undefined;

/**
 * Reads `REMIT_FAILPOINT=name:kill9|hang|error`. Only main.ts has the environment, so it passes both values in; outside
 * `NODE_ENV=test` the setting is refused, so that no production process can be told to die.
 */
export function failpointOf(setting: string | undefined, nodeEnv: string | undefined): Failpoint | undefined {
  if (setting === undefined || setting === "") return undefined;
  invariant(nodeEnv === "test", "a failpoint is set only where NODE_ENV is test");
  const match = /^([a-z][a-z0-9.-]*):(kill9|hang|error)$/.exec(setting);
  invariant(match?.[1] !== undefined, "a failpoint reads name:kill9|hang|error");
  return { name: match[1], does: match[2] as Failpoint["does"] }; // the pattern admits these three only
}

/** Arms one failpoint for this process, or none. */
export function setFailpoint(failpoint: Failpoint | undefined): void {
  armed = failpoint;
}

/** Marks a place where a test may stop the process. Costs one comparison when nothing is armed; an error strikes once. */
export async function failpoint(name: string): Promise<void> {
  if (armed === undefined || armed.name !== name) return;
  const { does } = armed;
  if (does === "kill9") process.kill(process.pid, "SIGKILL");
  if (does === "error") {
    armed = undefined;
    throw new InvariantViolation(`failpoint ${name}`);
  }
  await new Promise<never>(() => undefined);
}
