import { hash, verify } from "@node-rs/argon2";
import { Problem } from "@remit/protocol";

// OWASP's parameters for argon2id (the library's default algorithm): 19 MiB, two passes, one lane.
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export const passwordLengthMin = 12;
/** Passwords beyond this cost time and add no strength. */
export const passwordLengthMax = 256;

// Two at once: they run on threads that files and names need too, and a flood of sign-ins must not take all of those.
const atOnce = 2;
const waitingMax = 200;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= atOnce) {
    if (waiting.length >= waitingMax)
      throw new Problem("temporarily_unavailable", {
        detail: "Too many people sign in at once. Try again in a moment.",
        headers: { "Retry-After": "2" },
      });
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

let decoy: Promise<string> | undefined;

export const hashPassword = (password: string): Promise<string> =>
  inTurn(() => hash(password.normalize("NFKC"), cost));

/** Compares; without a digest it takes as long and answers no. */
export async function matchesPassword(password: string, digest: string | undefined): Promise<boolean> {
  decoy ??= hash("a password that nobody has", cost);
  const against = digest ?? (await decoy);
  if (password.length > passwordLengthMax) return false;
  const matches = await inTurn(() => verify(against, password.normalize("NFKC")));
  return matches && digest !== undefined;
}
