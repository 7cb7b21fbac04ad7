import type { VisibleDetails } from "@remit/protocol";

/** A mandate the agent holds: the SD-JWT with all its disclosures, and what it says. */
export type HeldMandate = {
  readonly id: string;
  readonly credential: string;
  readonly details: VisibleDetails;
  /** Seconds since 1970. */
  readonly expiresAtS: number;
  readonly refreshToken?: string;
  /** The merchant's origin for which the refresh token gives tokens. */
  readonly resource?: string;
};

/** Where mandates are kept. The default forgets them with the process. */
export type MandateStore = {
  put(mandate: HeldMandate): Promise<void>;
  all(): Promise<readonly HeldMandate[]>;
};

export function createMemoryStore(): MandateStore {
  const held = new Map<string, HeldMandate>();
  return {
    put: async (mandate) => void held.set(mandate.id, mandate),
    all: async () => [...held.values()],
  };
}
