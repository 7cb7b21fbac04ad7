import { hash, verify } from "@node-rs/argon2";

// OWASP's parameters for argon2id (the library's default algorithm): 19 MiB, two passes, one lane.
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Passwords beyond this cost time and add no strength. */
const charactersMax = 256;

let decoy: Promise<string> | undefined;

export const hashPassword = (password: string): Promise<string> => hash(password.normalize("NFKC"), cost);

/** Compares; without a digest it takes as long and answers no. */
export async function matchesPassword(password: string, digest: string | undefined): Promise<boolean> {
  decoy ??= hashPassword("a password that nobody has");
  const against = digest ?? (await decoy);
  if (password.length > charactersMax) return false;
  const matches = await verify(against, password.normalize("NFKC"));
  return matches && digest !== undefined;
}
