/** What there is of node's Buffer here: long texts take it a tenth of the time that a loop takes. */
type Native = {
  from(data: Uint8Array["buffer"], offset: number, length: number): NativeBytes;
  from(text: string, encoding: "utf8"): NativeBytes;
  allocUnsafeSlow(length: number): NativeBytes & {
    readonly buffer: ArrayBuffer;
    write(text: string, encoding: "base64url"): number;
  };
};

type NativeBytes = { toString(encoding: "base64url" | "base64"): string };

/** Undefined in a browser, and wherever something else stands in its place that does not know this spelling. */
export const native = nativeOf((globalThis as { readonly Buffer?: Native }).Buffer); // a browser has none

/** Below, a loop is the faster one. */
export const nativeFrom = 32;

export const nativeBytes = (buffer: Native, data: Uint8Array | string): NativeBytes =>
  typeof data === "string"
    ? buffer.from(data, "utf8")
    : buffer.from(data.buffer, data.byteOffset, data.length);

function nativeOf(buffer: Native | undefined): Native | undefined {
  try {
    return buffer?.from("~~~", "utf8").toString("base64url") === "fn5-" ? buffer : undefined;
  } catch {
    return undefined;
  }
}
