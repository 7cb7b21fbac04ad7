import {
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from "node:crypto";
import { VaultRefusal } from "./refusal.ts";

export type Transit = (method: string, path: readonly string[], body: Record<string, unknown>) => unknown;

type Version = { readonly privateKey?: KeyObject; readonly publicKey?: KeyObject; readonly secret?: Buffer };
type Key = { readonly type: string; readonly versions: Version[]; minDecryption: number };

/** The transit secrets engine: keys with versions that never leave it. */
export function createTransit(alwaysDer: () => boolean): Transit {
  const keys = new Map<string, Key>();
  const keyOf = (name: string): Key => {
    const key = keys.get(name);
    if (key === undefined) throw new VaultRefusal(400, "encryption key not found");
    return key;
  };
  return (method, [what = "", name = "", more], body) => {
    if (what === "keys" && more === undefined && method === "GET") return describe(name, keys.get(name));
    if (what === "keys" && more === undefined) {
      const type = typeof body["type"] === "string" ? body["type"] : "aes256-gcm96";
      if (!keys.has(name)) keys.set(name, { type, versions: [newVersion(type)], minDecryption: 1 });
      return describe(name, keyOf(name));
    }
    const key = keyOf(name);
    if (what === "keys" && more === "rotate") {
      key.versions.push(newVersion(key.type));
      return describe(name, key);
    }
    if (what === "keys" && more === "config") {
      key.minDecryption = Number(body["min_decryption_version"] ?? key.minDecryption);
      return describe(name, key);
    }
    if (what === "sign") return sign(key, body, alwaysDer());
    if (what === "encrypt") return encrypt(key, body);
    if (what === "decrypt") return decrypt(key, body);
    throw new VaultRefusal(404, "unsupported path");
  };
}

function newVersion(type: string): Version {
  if (type === "ecdsa-p256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (type === "ed25519") return generateKeyPairSync("ed25519");
  if (type === "aes256-gcm96") return { secret: randomBytes(32) };
  throw new VaultRefusal(400, `unknown key type ${type}`);
}

function describe(name: string, key: Key | undefined): unknown {
  if (key === undefined) throw new VaultRefusal(404, "no such key");
  const entries = key.versions.map((version, index) => [String(index + 1), publicOf(version)]);
  return {
    name,
    type: key.type,
    latest_version: key.versions.length,
    min_decryption_version: key.minDecryption,
    exportable: false,
    keys: Object.fromEntries(entries),
  };
}

/** PEM for ECDSA, the bare 32 bytes in base64 for Ed25519, as the real one shows them. */
function publicOf({ publicKey }: Version): unknown {
  if (publicKey === undefined) return 0;
  const { kty, x = "" } = publicKey.export({ format: "jwk" });
  const text =
    kty === "OKP"
      ? Buffer.from(x, "base64url").toString("base64")
      : publicKey.export({ format: "pem", type: "spki" });
  return { public_key: text };
}

function versionOf(key: Key, wanted: unknown): { number: number; version: Version } {
  const number = wanted === undefined || wanted === 0 ? key.versions.length : Number(wanted);
  const version = key.versions[number - 1];
  if (version === undefined) throw new VaultRefusal(400, "requested version is not known");
  return { number, version };
}

function sign(key: Key, body: Record<string, unknown>, alwaysDer: boolean): unknown {
  const { number, version } = versionOf(key, body["key_version"]);
  if (version.privateKey === undefined) throw new VaultRefusal(400, "key type does not support signing");
  const input = Buffer.from(String(body["input"]), "base64");
  if (key.type === "ed25519") {
    const signature = signBytes(null, input, version.privateKey).toString("base64");
    return { signature: `vault:v${number}:${signature}`, key_version: number };
  }
  const jws = body["marshaling_algorithm"] === "jws" && !alwaysDer;
  const dsaEncoding = jws ? "ieee-p1363" : "der";
  const signature = signBytes("sha256", input, { key: version.privateKey, dsaEncoding });
  return {
    signature: `vault:v${number}:${signature.toString(jws ? "base64url" : "base64")}`,
    key_version: number,
  };
}

function encrypt(key: Key, body: Record<string, unknown>): unknown {
  const { number, version } = versionOf(key, body["key_version"]);
  if (version.secret === undefined) throw new VaultRefusal(400, "key type does not support encryption");
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", version.secret, nonce).setAAD(aadOf(body));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(String(body["plaintext"]), "base64"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { ciphertext: `vault:v${number}:${sealed.toString("base64")}`, key_version: number };
}

function decrypt(key: Key, body: Record<string, unknown>): unknown {
  const [, number = "", text = ""] = /^vault:v(\d+):(.+)$/.exec(String(body["ciphertext"])) ?? [];
  if (Number(number) < key.minDecryption)
    throw new VaultRefusal(400, "ciphertext or signature version is disallowed by policy (too old)");
  const { version } = versionOf(key, number);
  if (version.secret === undefined) throw new VaultRefusal(400, "key type does not support decryption");
  const sealed = Buffer.from(text, "base64");
  const decipher = createDecipheriv("aes-256-gcm", version.secret, sealed.subarray(0, 12))
    .setAAD(aadOf(body))
    .setAuthTag(sealed.subarray(-16));
  try {
    const plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return { plaintext: plaintext.toString("base64") };
  } catch {
    throw new VaultRefusal(400, "cipher: message authentication failed");
  }
}

const aadOf = (body: Record<string, unknown>): Buffer =>
  Buffer.from(typeof body["associated_data"] === "string" ? body["associated_data"] : "", "base64");
