import { createCipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";
import { type Clock, hourMs, toNumericDate } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { EcPublicJwk, PrivateJwk } from "@remit/protocol";
import { signJws } from "@remit/protocol/node";

/** A browser's subscription (Push API, PushSubscription.toJSON). Keys in base64url. */
export type Subscription = { readonly endpoint: string; readonly p256dh: string; readonly auth: string };

/** The key by which push services know us (RFC 8292), and its public half as browsers take it. */
export type PushKey = { readonly key: PrivateJwk; readonly publicKey: string };

const curve = "prime256v1";
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** The same in every process: a scalar of P-256 from a secret of the installation. */
export function pushKeyOf(keyring: Pick<Keyring, "derive">): PushKey {
  const ecdh = createECDH(curve);
  // One in 2^32 secrets is no scalar of the curve: the next is taken.
  for (let n = 1; ; n++) {
    const secret = keyring.derive(`web-push-${n}`);
    try {
      ecdh.setPrivateKey(secret);
    } catch {
      continue;
    }
    const point = ecdh.getPublicKey();
    const [x, y] = [b64(point.subarray(1, 33)), b64(point.subarray(33, 65))];
    const key: EcPublicJwk & { readonly d: string } = { kty: "EC", crv: "P-256", x, y, d: b64(secret) };
    return { key, publicKey: b64(point) };
  }
}

/** Whether a message can be made for it (RFC 8291 §2): a point of the curve, and 16 bytes of a secret. */
export function takesMessages({ p256dh, auth }: Pick<Subscription, "p256dh" | "auth">): boolean {
  if (Buffer.from(auth, "base64url").length !== 16) return false;
  const [point, ours] = [Buffer.from(p256dh, "base64url"), createECDH(curve)];
  if (point.length !== 65 || point[0] !== 4) return false;
  ours.generateKeys();
  try {
    return ours.computeSecret(point).length > 0;
  } catch {
    return false;
  }
}

const recordBytes = 4096;

/**
 * RFC 8291 §3.4 over RFC 8188: one record of aes128gcm under a key that only the browser can make. `seed` stands in for
 * chance where a test compares with the RFC.
 */
export function encryptFor(
  { p256dh, auth }: Pick<Subscription, "p256dh" | "auth">,
  text: Uint8Array,
  seed?: { readonly salt: Uint8Array; readonly secret: Uint8Array },
): Uint8Array {
  const [theirs, shared] = [Buffer.from(p256dh, "base64url"), Buffer.from(auth, "base64url")];
  const ours = createECDH(curve);
  if (seed === undefined) ours.generateKeys();
  else ours.setPrivateKey(seed.secret);
  const own = ours.getPublicKey();
  const salt = seed?.salt ?? randomBytes(16);
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), theirs, own]);
  const ikm = derived(ours.computeSecret(theirs), { salt: shared, info, length: 32 });
  const key = derived(ikm, { salt, info: Buffer.from("Content-Encoding: aes128gcm\0"), length: 16 });
  const nonce = derived(ikm, { salt, info: Buffer.from("Content-Encoding: nonce\0"), length: 12 });
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  // RFC 8188 §2: 0x02 ends the last record.
  const body = Buffer.concat([cipher.update(Buffer.concat([text, Buffer.of(2)])), cipher.final()]);
  const header = Buffer.alloc(21);
  header.set(salt);
  header.writeUInt32BE(recordBytes, 16);
  header.writeUInt8(own.length, 20);
  return Buffer.concat([header, own, body, cipher.getAuthTag()]);
}

type Deriving = { readonly salt: Uint8Array; readonly info: Uint8Array; readonly length: number };

const derived = (ikm: Uint8Array, { salt, info, length }: Deriving): Buffer =>
  Buffer.from(hkdfSync("sha256", ikm, salt, info, length));

export type Push = {
  readonly text: string;
  /** At most one message of a topic waits for a browser that is away (RFC 8030 §5.4): the newer takes the older's place. */
  readonly topic: string;
  /** How long a message waits for a browser that is away. */
  readonly lifeS: number;
};

/** What the push service said: `gone` when there is no such subscription any more. */
export type Pushed = "sent" | "gone" | "refused" | "later";

export type PushSender = { send(to: Subscription, push: Push): Promise<Pushed> };

const tokenLifeMs = 12 * hourMs;
const refusals: ReadonlySet<number> = new Set([400, 401, 403, 405, 413]);

type Deps = {
  readonly pushKey: PushKey;
  /** Whom a push service may write to about us (RFC 8292 §2.1): the portal's own address. */
  readonly subject: string;
  readonly outbound: Outbound;
  readonly clock: Clock;
};

export const createPushSender = ({ pushKey, subject, outbound, clock }: Deps): PushSender => ({
  async send(to, { text, topic, lifeS }) {
    const aud = new URL(to.endpoint).origin;
    const exp = toNumericDate(clock.now()) + tokenLifeMs / 1000;
    const token = signJws(pushKey.key, { typ: "JWT" }, { aud, exp, sub: subject });
    const { status } = await outbound.request({
      method: "POST",
      url: to.endpoint,
      headers: {
        authorization: `vapid t=${token}, k=${pushKey.publicKey}`,
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        ttl: String(lifeS),
        topic,
        urgency: "high",
      },
      body: encryptFor(to, new TextEncoder().encode(text)),
    });
    if (status >= 200 && status < 300) return "sent";
    // RFC 8030 §7.3: expired subscriptions are 404; services say 410 too.
    if (status === 404 || status === 410) return "gone";
    return refusals.has(status) ? "refused" : "later";
  },
});
