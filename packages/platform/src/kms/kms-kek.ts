import { createHash } from "node:crypto";
import { type JsonObject, Problem } from "@remit/protocol";
import type { KekEngine, KekSource } from "../keys/index.ts";
import type { Kms } from "./kms.ts";

export type KmsKekOptions = {
  readonly kms: Kms;
  /** `alias/remit-kek-directory`: leads to the key that wraps, one per service. */
  readonly alias: string;
};

const start = "kms:";
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** CloudTrail shows the context of a call to whoever reads it: what is wrapped is named there by a digest. */
const contextOf = (aad: string): JsonObject => ({
  remit: createHash("sha256").update(aad).digest("base64url"),
});

/**
 * The key-encryption key in AWS KMS: a symmetric key, which an alias leads to. Another one takes its place at a rotation,
 * so that what is under which key stands in the database; a rotation of KMS's own inside a key changes nothing for us.
 */
export function kmsKek({ kms, alias }: KmsKekOptions): KekSource {
  const engineOf = (keyId: string): KekEngine => ({
    id: start + keyId,
    async wrap({ plaintext, aad }) {
      const asked = { KeyId: keyId, Plaintext: base64(plaintext), EncryptionContext: contextOf(aad) };
      return bytesOf(await kms.call("Encrypt", asked), "CiphertextBlob");
    },
    async unwrap({ wrapped, aad }) {
      const asked = { KeyId: keyId, CiphertextBlob: base64(wrapped), EncryptionContext: contextOf(aad) };
      return bytesOf(await kms.call("Decrypt", asked), "Plaintext");
    },
  });
  const current = async (): Promise<{ id: string; enabled: boolean } | undefined> => {
    const found = await kms.call("DescribeKey", { KeyId: alias });
    if (found === undefined) return undefined;
    return { id: keyIdIn(found), enabled: Object(found["KeyMetadata"])["KeyState"] === "Enabled" };
  };
  const made = async (then: "CreateAlias" | "UpdateAlias"): Promise<KekEngine> => {
    const key = await kms.call("CreateKey", {
      KeySpec: "SYMMETRIC_DEFAULT",
      KeyUsage: "ENCRYPT_DECRYPT",
      Description: `Remit: ${alias}`,
    });
    await kms.call(then, { AliasName: alias, TargetKeyId: keyIdIn(key) }).catch(unlessMade);
    // Of two that made one at once, that of the alias is the one.
    return engineOf((await current())?.id ?? keyIdIn(key));
  };
  return {
    async first() {
      const found = await current();
      return found === undefined ? made("CreateAlias") : engineOf(found.id);
    },
    find: async (id) => (id.startsWith(start) ? engineOf(id.slice(start.length)) : undefined),
    async next(id) {
      const there = await current();
      if (there === undefined) return made("CreateAlias");
      // A move away from here has disabled the key that the alias leads to still.
      return start + there.id === id || !there.enabled ? made("UpdateAlias") : engineOf(there.id);
    },
    async settle(now, former) {
      if (former === undefined || former === now || !former.startsWith(start)) return;
      // It opens nothing then, until an operator enables it again.
      await kms.call("DisableKey", { KeyId: former.slice(start.length) });
    },
    remedy: `Give this service the key of ${alias} that this database was made with.`,
  };
}

/** Another first start was faster: its key is the one. */
function unlessMade(error: unknown): void {
  const { type } = Object(error instanceof Problem ? error.private?.["kms"] : undefined);
  if (type !== "AlreadyExistsException") throw error;
}

function keyIdIn(answer: JsonObject | undefined): string {
  const { KeyId: id } = Object(answer?.["KeyMetadata"]);
  if (typeof id !== "string") throw wrong("named no key");
  return id;
}

export function bytesOf(answer: JsonObject | undefined, member: string): Uint8Array {
  const text = answer?.[member];
  if (typeof text !== "string") throw wrong(`answered without ${member}`);
  return new Uint8Array(Buffer.from(text, "base64"));
}

export const wrong = (because: string): Problem =>
  new Problem("unavailable", { private: { kms: { because } } });
