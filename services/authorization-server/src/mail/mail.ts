import { enqueue } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Letter } from "@remit/platform/mail";
import type { Tx } from "@remit/platform/sql";

/** Letters are written down in the transaction of what they tell of, and carried after it. */
export type Post = { send(tx: Tx, letter: Letter): Promise<void> };

export const mailQueue = "mail";
const scope = "mail";
const aad = "mail";

type Sealed = { readonly sealed: string };

// An address is personal: the queue, which is seen across tenants, holds ciphertext.
export const createPost = ({ keyring }: { keyring: Keyring }): Post => ({
  async send(tx, letter) {
    const plaintext = Buffer.from(JSON.stringify(letter), "utf8");
    const sealed = await keyring.seal(tx, scope, { plaintext, aad });
    const payload: Sealed = { sealed: Buffer.from(sealed).toString("base64") };
    await enqueue(tx, { queue: mailQueue, payload });
  },
});

/** Undefined for what is no letter of ours. */
export async function openLetter(keyring: Keyring, tx: Tx, payload: unknown): Promise<Letter | undefined> {
  const { sealed } = Object(payload);
  if (typeof sealed !== "string") return undefined;
  const plaintext = await keyring.open(tx, scope, { sealed: Buffer.from(sealed, "base64"), aad });
  // Sealed by `send`, and nobody else can.
  return plaintext && (JSON.parse(Buffer.from(plaintext).toString("utf8")) as Letter);
}
