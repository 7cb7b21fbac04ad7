export { builtPortal } from "./build.ts";
export { type Platform, portalOnce } from "./portal.ts";
export { portalMount } from "./serve.ts";
export { isUse } from "./use.ts";
