import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** What an authenticator can be made to get wrong. */
export type Wrong = {
  readonly origin?: string;
  readonly rpId?: string;
  readonly userVerified?: boolean;
  readonly userPresent?: boolean;
  readonly challenge?: string;
  readonly type?: string;
  readonly signCount?: number;
  readonly userHandle?: string;
  readonly crossOrigin?: boolean;
  /** Signs with another key. */
  readonly key?: KeyObject;
};

type Options = {
  readonly challenge: string;
  readonly rp?: { readonly id: string };
  readonly rpId?: string;
  readonly user?: { readonly id: string };
};

const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();
const flagsOf = ({ userPresent = true, userVerified = true }: Wrong, more: number): number =>
  (userPresent ? 1 : 0) | (userVerified ? 4 : 0) | more;
const clientData = (type: string, options: Options, wrong: Wrong & { origin: string }): Buffer =>
  Buffer.from(
    JSON.stringify({
      type: wrong.type ?? type,
      challenge: wrong.challenge ?? options.challenge,
      origin: wrong.origin,
      crossOrigin: wrong.crossOrigin ?? false,
    }),
  );

/** A passkey in software (WebAuthn §6), for what no real one would do. ES256, attestation "none". */
export class SoftwarePasskey {
  readonly id = randomBytes(32);
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly #origin: string;
  readonly #backup: number;
  #userHandle: string | undefined;
  #count = 0;

  constructor({ origin, deviceBound = false }: { origin: string; deviceBound?: boolean }) {
    this.#origin = origin;
    this.#backup = deviceBound ? 0 : 0x18;
  }

  create(text: string, wrong: Wrong = {}): string {
    const options: Options = JSON.parse(text);
    this.#userHandle = options.user?.id;
    const { x = "", y = "" } = this.#keys.publicKey.export({ format: "jwk" });
    // RFC 9052 §7: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
    const cose = Buffer.concat([
      Buffer.from("a5010203262001215820", "hex"),
      Buffer.from(x, "base64url"),
      Buffer.from("225820", "hex"),
      Buffer.from(y, "base64url"),
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const authData = Buffer.concat([
      this.#head(
        wrong.rpId ?? options.rp?.id ?? "",
        flagsOf(wrong, 0x40 | this.#backup),
        wrong.signCount ?? 0,
      ),
      Buffer.alloc(16),
      length,
      this.id,
      cose,
    ]);
    const size = Buffer.alloc(2);
    size.writeUInt16BE(authData.length);
    // {"fmt": "none", "attStmt": {}, "authData": …}
    const attestation = Buffer.concat([
      Buffer.from("a363666d74646e6f6e656761747453746d74a068617574684461746159", "hex"),
      size,
      authData,
    ]);
    const data = clientData("webauthn.create", options, { origin: this.#origin, ...wrong });
    return this.#answer({ clientDataJSON: data, attestationObject: attestation });
  }

  get(text: string, wrong: Wrong = {}): string {
    const options: Options = JSON.parse(text);
    const count = wrong.signCount ?? ++this.#count;
    const authenticatorData = this.#head(
      wrong.rpId ?? options.rpId ?? "",
      flagsOf(wrong, this.#backup),
      count,
    );
    const data = clientData("webauthn.get", options, { origin: this.#origin, ...wrong });
    const signature = sign(
      "sha256",
      Buffer.concat([authenticatorData, sha256(data)]),
      wrong.key ?? this.#keys.privateKey,
    );
    const userHandle = Buffer.from(wrong.userHandle ?? this.#userHandle ?? "", "base64url");
    return this.#answer({ clientDataJSON: data, authenticatorData, signature, userHandle });
  }

  #head(rpId: string, flags: number, count: number): Buffer {
    const tail = Buffer.alloc(5);
    tail.writeUInt8(flags);
    tail.writeUInt32BE(count, 1);
    return Buffer.concat([sha256(rpId), tail]);
  }

  #answer(response: Record<string, Buffer>): string {
    const id = this.id.toString("base64url");
    const parts = Object.entries(response).map(([name, bytes]) => [name, bytes.toString("base64url")]);
    return JSON.stringify({
      id,
      rawId: id,
      type: "public-key",
      clientExtensionResults: {},
      response: Object.fromEntries(parts),
    });
  }
}

/** RFC 4648 §6: what an authenticator app does with the key that it is shown. */
export function decodeBase32(text: string): Uint8Array {
  const bits = Array.from(text, (letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  return Uint8Array.from(bits.join("").match(/.{8}/g) ?? [], (eight) => Number.parseInt(eight, 2));
}
