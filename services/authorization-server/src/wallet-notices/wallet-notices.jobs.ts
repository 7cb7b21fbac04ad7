import { hourMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import {
  forgetAtWallet,
  tellWallet,
  type WalletNoticesDeps,
  walletForgetsQueue,
  walletNoticesQueue,
} from "./wallet-notices.ts";

// Whoever is erased is forgotten there too, however long the wallet is away.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, secondMs * 2 ** Math.min(attempt, 12));

export const walletNoticeJobs = (jobs: Jobs, deps: WalletNoticesDeps): Jobs =>
  jobs
    .on(walletNoticesQueue, { handle: ({ payload }) => tellWallet(deps, payload) })
    .on(walletForgetsQueue, { attemptsMax, backoff, handle: ({ payload }) => forgetAtWallet(deps, payload) });
