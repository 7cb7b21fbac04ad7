const integerTag = 0x02;
const sequenceTag = 0x30;
const partBytes = 32;

/** An ECDSA signature for P-256 from DER (RFC 3279 §2.2.3) to r ‖ s (RFC 7518 §3.4); undefined when it is none. */
export function rawOfDer(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== sequenceTag || der[1] !== der.length - 2) return undefined;
  const r = integerAt(der, 2);
  const s = r && integerAt(der, r.end);
  if (r === undefined || s === undefined || s.end !== der.length) return undefined;
  const raw = new Uint8Array(2 * partBytes);
  raw.set(r.bytes, partBytes - r.bytes.length);
  raw.set(s.bytes, 2 * partBytes - s.bytes.length);
  return raw;
}

/** An unsigned integer without the zero byte that keeps it positive. */
function integerAt(der: Uint8Array, at: number): { bytes: Uint8Array; end: number } | undefined {
  const length = der[at + 1];
  if (der[at] !== integerTag || length === undefined || length === 0) return undefined;
  const end = at + 2 + length;
  if (end > der.length) return undefined;
  const start = der[at + 2] === 0 ? at + 3 : at + 2;
  const bytes = der.subarray(start, end);
  return bytes.length > partBytes ? undefined : { bytes, end };
}
