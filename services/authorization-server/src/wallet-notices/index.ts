export {
  noticesIn,
  tellWallet,
  type WalletNoticesDeps,
  walletNoticesQueue,
} from "./wallet-notices.ts";
