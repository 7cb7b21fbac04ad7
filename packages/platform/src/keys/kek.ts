import type { Secret } from "@remit/kernel";

/** The key-encryption key of one installation. The fingerprint says which it is and reveals nothing of it. */
export type Kek = { readonly key: Secret<Uint8Array>; readonly fingerprint: string };

/** Reads `<dataDir>/kek` (32 bytes, mode 0600); makes it at the very first start. */
export declare function loadKek(dataDir: string): Promise<Kek>;
