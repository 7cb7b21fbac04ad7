export { builtPortal } from "./build.ts";
export { openPortal, type Platform } from "./portal.ts";
export { portalMount } from "./serve.ts";
