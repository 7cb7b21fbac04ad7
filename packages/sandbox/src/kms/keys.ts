import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign as signBytes,
} from "node:crypto";
import { KmsRefusal } from "./refusal.ts";

export type Body = Readonly<Record<string, unknown>>;
type Key = {
  readonly id: string;
  readonly spec: string;
  readonly usage: string;
  readonly secret?: Buffer;
  readonly privateKey?: KeyObject;
  enabled: boolean;
};

const rawBytesMax = 4096;
const bytes = (value: unknown): Buffer => Buffer.from(String(value), "base64");

export type Keys = Readonly<Record<string, (body: Body) => unknown>>;

/** The operations of KMS that Remit uses. Keys never leave; aliases lead to them. */
export function createKeys(): Keys {
  const keys = new Map<string, Key>();
  const aliases = new Map<string, string>();
  const find = (name: unknown): Key => {
    const key = keys.get(aliases.get(String(name)) ?? String(name));
    if (key === undefined) throw new KmsRefusal("NotFoundException", `Key '${String(name)}' does not exist`);
    return key;
  };
  const usable = (name: unknown, usage: string): Key => {
    const key = find(name);
    if (!key.enabled) throw new KmsRefusal("DisabledException", `${key.id} is disabled.`);
    if (key.usage !== usage)
      throw new KmsRefusal("InvalidKeyUsageException", `${key.id} key usage is ${key.usage}`);
    return key;
  };
  const point = (alias: unknown, target: unknown): void => void aliases.set(String(alias), find(target).id);
  return {
    CreateKey(body) {
      const { KeySpec: spec = "SYMMETRIC_DEFAULT", KeyUsage: usage = "ENCRYPT_DECRYPT" } = body;
      const key = newKey(String(spec), String(usage));
      keys.set(key.id, key);
      return { KeyMetadata: metadataOf(key) };
    },
    DescribeKey: (body) => ({ KeyMetadata: metadataOf(find(body["KeyId"])) }),
    CreateAlias(body) {
      if (aliases.has(String(body["AliasName"])))
        throw new KmsRefusal("AlreadyExistsException", "An alias with that name already exists");
      point(body["AliasName"], body["TargetKeyId"]);
    },
    UpdateAlias: (body) => point(body["AliasName"], body["TargetKeyId"]),
    DisableKey(body) {
      find(body["KeyId"]).enabled = false;
    },
    GetPublicKey(body) {
      const { privateKey, id } = usable(body["KeyId"], "SIGN_VERIFY");
      const spki = createPublicKey(privateKey ?? "").export({ format: "der", type: "spki" });
      return { KeyId: id, PublicKey: spki.toString("base64") };
    },
    Sign: (body) => sign(usable(body["KeyId"], "SIGN_VERIFY"), body),
    Encrypt: (body) => encrypt(usable(body["KeyId"], "ENCRYPT_DECRYPT"), body),
    Decrypt: (body) => decrypt(usable(body["KeyId"], "ENCRYPT_DECRYPT"), body),
  };
}

const metadataOf = ({ id, spec, usage, enabled }: Key): unknown => ({
  KeyId: id,
  Arn: `arn:aws:kms:eu-central-1:111122223333:key/${id}`,
  KeySpec: spec,
  KeyUsage: usage,
  Enabled: enabled,
  KeyState: enabled ? "Enabled" : "Disabled",
});

function newKey(spec: string, usage: string): Key {
  const rest = { id: randomUUID(), spec, usage, enabled: true };
  if (spec === "SYMMETRIC_DEFAULT" && usage === "ENCRYPT_DECRYPT")
    return { ...rest, secret: randomBytes(32) };
  if (usage === "SIGN_VERIFY" && spec === "ECC_NIST_P256")
    return { ...rest, privateKey: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
  if (usage === "SIGN_VERIFY" && spec === "ECC_NIST_EDWARDS25519")
    return { ...rest, privateKey: generateKeyPairSync("ed25519").privateKey };
  throw new KmsRefusal("ValidationException", `KeySpec ${spec} cannot be used for ${usage}`);
}

function sign({ id, spec, privateKey }: Key, body: Body): unknown {
  const { SigningAlgorithm: algorithm, MessageType: type = "RAW" } = body;
  const message = bytes(body["Message"]);
  const wanted = spec === "ECC_NIST_P256" ? "ECDSA_SHA_256" : "ED25519_SHA_512";
  if (algorithm !== wanted || privateKey === undefined)
    throw new KmsRefusal("InvalidKeyUsageException", `${String(algorithm)} is not of ${spec}`);
  if (type === "DIGEST" && (wanted !== "ECDSA_SHA_256" || message.length !== 32))
    throw new KmsRefusal("ValidationException", "the digest is not of this algorithm");
  if (type === "RAW" && message.length > rawBytesMax)
    throw new KmsRefusal("ValidationException", "Message is longer than 4096 bytes");
  const hash = wanted === "ECDSA_SHA_256" ? "sha256" : null;
  const signature =
    type === "DIGEST" ? signDigest(privateKey, message) : signBytes(hash, message, privateKey);
  return { KeyId: id, Signature: signature.toString("base64"), SigningAlgorithm: algorithm };
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const mod = (value: bigint): bigint => ((value % order) + order) % order;
const numberOf = (part: Uint8Array): bigint => BigInt(`0x${Buffer.from(part).toString("hex")}`);

/** The inverse by Fermat: the order of P-256 is a prime. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, mod(value)];
  for (let rest = order - 2n; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = mod(result * base);
    base = mod(base * base);
  }
  return result;
}

/** An ECDSA signature, in DER, over a digest as it is (FIPS 186-5 §6.4.1), which node:crypto has no call for. */
function signDigest(key: KeyObject, digest: Buffer): Buffer {
  const d = numberOf(Buffer.from(String(key.export({ format: "jwk" }).d), "base64url"));
  const once = createECDH("prime256v1");
  const point = once.generateKeys();
  const r = mod(numberOf(point.subarray(1, 33)));
  const s = mod(inverse(numberOf(once.getPrivateKey())) * (numberOf(digest) + r * d));
  const [first, second] = [integer(r), integer(s)];
  return Buffer.concat([Buffer.of(0x30, first.length + second.length), first, second]);
}

/** An INTEGER of DER, kept positive by a zero byte. */
function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bare = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const body = (bare[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bare]) : bare;
  return Buffer.concat([Buffer.of(0x02, body.length), body]);
}

const aadOf = (body: Body): Buffer =>
  Buffer.from(
    JSON.stringify(
      Object.entries(Object(body["EncryptionContext"])).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );

function encrypt({ id, secret = Buffer.of() }: Key, body: Body): unknown {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", secret, nonce).setAAD(aadOf(body));
  const sealed = [cipher.update(bytes(body["Plaintext"])), cipher.final(), cipher.getAuthTag()];
  const blob = Buffer.concat([Buffer.from(id), nonce, ...sealed]);
  return { KeyId: id, CiphertextBlob: blob.toString("base64") };
}

function decrypt({ id, secret = Buffer.of() }: Key, body: Body): unknown {
  const blob = bytes(body["CiphertextBlob"]);
  if (blob.subarray(0, id.length).toString() !== id)
    throw new KmsRefusal("IncorrectKeyException", "the ciphertext is of another key");
  const sealed = blob.subarray(id.length);
  try {
    const open = createDecipheriv("aes-256-gcm", secret, sealed.subarray(0, 12)).setAAD(aadOf(body));
    open.setAuthTag(sealed.subarray(-16));
    const plaintext = Buffer.concat([open.update(sealed.subarray(12, -16)), open.final()]);
    return { KeyId: id, Plaintext: plaintext.toString("base64") };
  } catch {
    throw new KmsRefusal("InvalidCiphertextException", "");
  }
}
