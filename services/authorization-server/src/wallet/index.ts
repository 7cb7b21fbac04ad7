export { walletRoutes } from "./wallet.http.ts";
