import { type Clock, monotonicMs } from "@remit/kernel";

/** What took a signature to make, for whoever asks again; of what was asked for longest ago the place is given away. */
export type Kept<T> = { get(key: string, make: () => Promise<T>): Promise<T> };

export type KeptOptions = {
  readonly clock: Clock;
  readonly max: number;
  /** How long one is handed out; for as long as it has a place, unless said. */
  readonly ageMs?: number;
};

/**
 * Strangers ask for signed documents as often as they like. One that says the same is signed once and handed out again, and
 * those who ask at once wait for one signature.
 */
export function createKept<T>({ clock, max, ageMs = Infinity }: KeptOptions): Kept<T> {
  const kept = new Map<string, { readonly made: Promise<T>; readonly at: number }>();
  return {
    get(key, make) {
      const now = monotonicMs(clock);
      const known = kept.get(key);
      kept.delete(key);
      if (known !== undefined && now - known.at < ageMs) {
        kept.set(key, known);
        return known.made;
      }
      const made = make();
      kept.set(key, { made, at: now });
      made.catch(() => {
        if (kept.get(key)?.made === made) kept.delete(key);
      });
      const [oldest] = kept.keys();
      if (kept.size > max && oldest !== undefined) kept.delete(oldest);
      return made;
    },
  };
}
