import { hourMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { outboxChannel } from "@remit/platform/outbox";
import { lanesChannel } from "../lanes/index.ts";
import { type CourierDeps, createCourier } from "./courier.ts";
import { type FanOutDeps, fanOut } from "./fan-out.ts";
import { type NoticeDeps, noticeQueue, sendNotice } from "./notices.ts";
import { sweep } from "./sweep.ts";

export type DeliveryJobsDeps = CourierDeps & FanOutDeps & NoticeDeps;

/** From an event in the outbox to an answer from a receiver, and what is kept of it. */
export const deliveryJobs = (jobs: Jobs, deps: DeliveryJobsDeps): Jobs =>
  jobs
    .follow(outboxChannel, (asking) => fanOut(deps, asking))
    .follow(lanesChannel, (asking) => createCourier(deps, asking))
    .on(noticeQueue, { handle: ({ payload }) => sendNotice(deps, payload) })
    .every("webhooks.sweep", hourMs, (signal) => sweep(deps.db, signal));
