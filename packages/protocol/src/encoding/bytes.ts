/** HMAC-SHA-256 under one key, as the core takes it in: bytes, or text as UTF-8, to 32 bytes. */
export type Mac = (data: Uint8Array | string) => Uint8Array;

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
