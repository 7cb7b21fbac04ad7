/** A delivery as it came, by the header names of Standard Webhooks. */
export type Delivered = {
  readonly "webhook-id": string;
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
  readonly body: string;
};

/** The far end of somebody's webhooks: takes every delivery, and shows the newest to whoever checks their signatures. */
export type Inbox = {
  take(delivery: Delivered): void;
  /** The newest first. */
  readonly all: () => readonly Delivered[];
};

const keptMax = 100;

export function createInbox(): Inbox {
  const kept: Delivered[] = [];
  return {
    take: (delivery) => {
      kept.unshift(delivery);
      kept.length = Math.min(kept.length, keptMax);
    },
    all: () => kept,
  };
}
