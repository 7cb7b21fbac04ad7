export { setupRoutes } from "./setups.http.ts";
export { walletRoutes } from "./wallet.http.ts";
