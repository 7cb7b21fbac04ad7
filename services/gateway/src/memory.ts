import { Problem } from "@remit/protocol";

/** What one answer may fill of this process's memory, for as long as anybody needs it. */
export type Room = {
  /** Keeps it open until the function that it returns is called. */
  hold(): () => void;
  /** Sets so much aside before any of it is there; refuses (503) when there is not that much. */
  reserve(bytes: number): void;
  /** So much has come; false when there is no room for it. */
  add(bytes: number): boolean;
};

export type Memory = { room(): Room };

/**
 * Whole answers are held in memory until they are paid and sent. All of them together are bounded, and who finds no room
 * is told so before any money is set aside.
 */
export function createMemory(bytesMax: number): Memory {
  let taken = 0;
  const takeMore = (bytes: number): boolean => {
    if (taken + bytes > bytesMax) return false;
    taken += bytes;
    return true;
  };
  return {
    room: () => {
      let holders = 0;
      let mine = 0;
      let filled = 0;
      return {
        hold: () => {
          holders += 1;
          let isHeld = true;
          return () => {
            if (!isHeld) return;
            isHeld = false;
            holders -= 1;
            if (holders > 0) return;
            taken -= mine;
            mine = 0;
          };
        },
        reserve: (bytes) => {
          if (holders === 0) return;
          if (!takeMore(bytes)) throw full();
          mine += bytes;
        },
        add: (bytes) => {
          // Nobody would give it back.
          if (holders === 0) return true;
          filled += bytes;
          const more = Math.max(0, filled - mine);
          if (!takeMore(more)) return false;
          mine += more;
          return true;
        },
      };
    },
  };
}

export const full = (): Problem =>
  new Problem("unavailable", {
    detail: "Too many answers are on their way at once.",
    headers: { "Retry-After": "1" },
  });

const expectedBytesMin = 64 * 1024;

/** How large the next answer of a route will be: as large as its largest of late, which counts for less with each one. */
export function createSizes() {
  const sizes = new WeakMap<object, number>();
  return {
    of: (route: object): number => Math.max(expectedBytesMin, Math.ceil(sizes.get(route) ?? 0)),
    saw: (route: object, bytes: number): void =>
      void sizes.set(route, Math.max(bytes, (sizes.get(route) ?? 0) * 0.9)),
  };
}
