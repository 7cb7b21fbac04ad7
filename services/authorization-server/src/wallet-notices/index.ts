export { walletNoticeJobs } from "./wallet-notices.jobs.ts";
export { noticesIn } from "./wallet-notices.ts";
