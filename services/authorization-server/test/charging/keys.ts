import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";

const purposes = ["access", "mandate", "receipt", "instruction"] as const;

export const newKeys = (): Record<string, PrivateJwk> =>
  Object.fromEntries(purposes.map((purpose) => [purpose, generateJwk("ES256", `test-${purpose}`)]));

export type TestKeys = ReturnType<typeof testKeys>;

/** The issuer's keys, by what each signs. */
export function testKeys(keys: Readonly<Record<string, PrivateJwk>>) {
  const keyOf = (purpose: string): PrivateJwk => {
    const key = keys[purpose];
    if (key === undefined) throw new Error(`no key for ${purpose}`);
    return key;
  };
  const signNow = (purpose: string, header: { readonly typ: string }, payload: object): string =>
    signJws(keyOf(purpose), header, JSON.parse(JSON.stringify(payload)));
  return {
    all: keys,
    keyOf,
    signNow,
    sign: async (...what: Parameters<typeof signNow>): Promise<string> => signNow(...what),
    version: () => 0,
    jwks: (wanted?: readonly string[]) => ({
      keys: Object.entries(keys)
        .filter(([purpose]) => wanted?.includes(purpose) ?? true)
        .map(([, key]) => publicJwkOf(key)),
    }),
  };
}
