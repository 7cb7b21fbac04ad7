export type { AppOffer, CodeCheck, Codes } from "./codes.ts";
export { deviceName } from "./device.ts";
export { factorRoutes } from "./factors.http.ts";
export { createFactors, type Factors, type Methods } from "./factors.ts";
export type { Ceremony, CheckedPasskey, Passkey, Passkeys, Place, UsedPasskey } from "./passkeys.ts";
export { qrCode } from "./qr.ts";
export { passkeyScript } from "./script.ts";
