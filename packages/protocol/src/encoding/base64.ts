import { base64url } from "./base64url.ts";
import { native, nativeBytes, nativeFrom } from "./native.ts";

/** RFC 4648 §4 with padding; `decode` answers undefined for anything but the one canonical spelling. */
export const base64 = {
  encode(data: Uint8Array | string): string {
    if (native !== undefined && data.length >= nativeFrom)
      return nativeBytes(native, data).toString("base64");
    const text = base64url.encode(data).replaceAll("-", "+").replaceAll("_", "/");
    return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
  },
  decode(text: string): Uint8Array<ArrayBuffer> | undefined {
    if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
    return base64url.decode(text.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"));
  },
} as const;
