export type { AppOffer, CodeCheck, Codes } from "./codes.ts";
export { deviceName } from "./device.ts";
export { factorRoutes } from "./factors.http.ts";
export { deleteFactorsOf } from "./factors.sql.ts";
export { createFactors, type Factors, type Methods, reachable } from "./factors.ts";
export type { CheckedPasskey } from "./passkey-records.ts";
export type { Ceremony, Passkey, Passkeys, Place, UsedPasskey } from "./passkeys.ts";
export { passkeyScript } from "./script.ts";
export { appForm, passkeyButton, passkeyForm } from "./views.ts";
