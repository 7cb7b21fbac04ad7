export type { WalletConfig } from "./config.ts";
export { createWallet, migrations, type Service, tables } from "./service.ts";
