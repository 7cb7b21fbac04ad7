import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { after, dayMs, type Instant, systemClock, toRfc3339 } from "@remit/kernel";

/** A key and its self-signed certificate, as PEM. Whoever trusts the certificate trusts the host. */
export type TestCertificate = { readonly key: string; readonly certificate: string };

// X.690: a tag, a length, a value.
const der = (tag: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const value = Buffer.concat(parts);
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
};
const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(0x30, ...parts);
const oid = (hex: string): Uint8Array => der(0x06, Buffer.from(hex, "hex"));
const octets = (value: Uint8Array): Uint8Array => der(0x04, value);
const bits = (value: Uint8Array): Uint8Array => der(0x03, Buffer.from([0]), value);
const yes = der(0x01, Buffer.from([0xff]));
/** RFC 5280 §4.1.2.5.2: four digits of the year, no fraction. */
const time = (at: Instant): Uint8Array => der(0x18, Buffer.from(toRfc3339(at).replace(/[-:T]|\.\d+/g, "")));

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
const subjectAltName = oid("551d11");
const basicConstraints = oid("551d13");

/** A certificate for one host name, good for a day (RFC 5280 §4.1): it is its own authority. */
export function testCertificate(host: string): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = systemClock.now();
  const name = sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(host)))));
  const names = sequence(der(0x82, Buffer.from(host)));
  const toSign = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    name,
    sequence(time(after(now, -dayMs)), time(after(now, dayMs))),
    name,
    publicKey.export({ format: "der", type: "spki" }),
    der(
      0xa3,
      sequence(
        sequence(basicConstraints, yes, octets(sequence(yes))),
        sequence(subjectAltName, octets(names)),
      ),
    ),
  );
  const certificate = sequence(toSign, ecdsaWithSha256, bits(sign("sha256", toSign, privateKey)));
  const lines = Buffer.from(certificate).toString("base64").replace(/.{64}/g, "$&\n");
  return {
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}
