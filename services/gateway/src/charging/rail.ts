import type { Id, Instant } from "@remit/kernel";
import type { Problem } from "@remit/protocol";
import type { ReleaseCharge } from "@remit/protocol/contracts";
import type { Claim, Standing } from "../claims/index.ts";
import type { Digests } from "./charging.ts";

/** What a rail calls a purchase's money, to be written into its claim. */
export type Ids = {
  readonly charge?: Id<"charge">;
  readonly reference?: string;
  readonly settlement?: string;
  readonly receipt?: string;
};

/** The word of a rail on one purchase's money, or that there is none yet; `mayPass` when asking again soon may help. */
export type Outcome =
  | {
      readonly kind: "known";
      readonly standing: Standing;
      readonly ids: Ids;
      /** Until when the principal may answer, where one is asked; until when it may be served, where it is not yet. */
      readonly openUntil?: Instant;
      /** Why no money is held. */
      readonly problem?: Problem;
      /** What the upstream is told of who pays. */
      readonly tells?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "refused"; readonly problem: Problem }
  | { readonly kind: "unknown"; readonly mayPass: boolean; readonly cause: unknown };

/** Method and address of what is bought. */
export type Resource = { readonly method: string; readonly url: string };

/**
 * One purchase's money on whatever rail it travels. Each call may be repeated: its key is the claim's, so that it is the
 * same call, and a durable row says so before it is made.
 */
export type Rail = {
  /** What was bought, where the claim itself must say it. */
  readonly resource?: Resource;
  hold(claim: Claim): Promise<Outcome>;
  /** Takes what the claim says is taken of the hold. */
  capture(claim: Claim, digests: Digests): Promise<Outcome>;
  /** Says that the goods begin to leave, where the rail must know before it is captured. */
  commit?(claim: Claim): Promise<Outcome>;
  release(claim: Claim, reason: ReleaseCharge["reason"]): Promise<Outcome>;
  /** Where it stands; asks for a hold again under the same key where nothing else tells. */
  read(claim: Claim): Promise<Outcome>;
};
