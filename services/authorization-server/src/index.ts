export type { Bootstrap, Bootstrapped } from "./bootstrap.ts";
export { type AuthorizationServerConfig, type Peers } from "./config.ts";
export { usualQuotas } from "./quotas/index.ts";
export {
  type AuthorizationServerOptions,
  createAuthorizationServer,
  migrations,
  type Service,
} from "./service.ts";
export { tables } from "./tables.ts";
