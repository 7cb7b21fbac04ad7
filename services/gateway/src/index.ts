export type { GatewayConfig } from "./config.ts";
export { createGateway, type GatewayOptions, type Service } from "./service.ts";
