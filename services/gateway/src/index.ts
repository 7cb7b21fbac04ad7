export type { GatewayConfig } from "./config.ts";
export { createGateway, type GatewayOptions, migrations, type Service, tables } from "./service.ts";
