import { type Id, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Tx } from "@remit/platform/sql";

export type HeaderOwner = { readonly tenant: Id<"tenant">; readonly stream: Id<"stream"> };

/** The Authorization headers that receivers want with each push: kept as ciphertext, and shown to nobody again. */
export type PushHeaders = {
  seal(tx: Tx, of: HeaderOwner, header: string): Promise<Uint8Array>;
  open(tx: Tx, of: HeaderOwner, sealed: Uint8Array): Promise<string>;
};

export const createPushHeaders = (keyring: Keyring): PushHeaders => ({
  seal: (tx, of, header) =>
    keyring.seal(tx, scopeOf(of), { plaintext: new TextEncoder().encode(header), aad: aadOf(of) }),
  async open(tx, of, sealed) {
    const header = await keyring.open(tx, scopeOf(of), { sealed, aad: aadOf(of) });
    invariant(header !== undefined, "the headers of a tenant that still has streams are not shredded");
    return new TextDecoder().decode(header);
  },
});

const scopeOf = ({ tenant }: HeaderOwner): string => `signals:${tenant}`;
const aadOf = ({ stream }: HeaderOwner): string => `signal_streams.push_header:${stream}`;
