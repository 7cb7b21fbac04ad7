import type { Clock } from "@remit/kernel";
import { createKeySources, type KeySource, keyDocumentBytesMax } from "@remit/protocol";
import type { Log } from "../telemetry/index.ts";
import type { OutboundAnswer, OutboundRequest } from "./exchange.ts";

export type { KeySource } from "@remit/protocol";

export type JwksOptions = {
  readonly request: (request: OutboundRequest) => Promise<OutboundAnswer>;
  readonly clock: Clock;
  readonly log?: Log;
};

const timeoutMs = 5_000;

/** Key sources by URL (`createKeySources`), their documents fetched through the one door to other hosts. */
export const createJwksCache = ({ request, clock, log }: JwksOptions): ((url: string) => KeySource) =>
  createKeySources({
    clock,
    read: async (url) => {
      const headers = { accept: "application/json" };
      const {
        status,
        body,
        headers: answered,
      } = await request({
        url,
        headers,
        timeoutMs,
        bodyBytesMax: keyDocumentBytesMax,
      });
      return { status, body, cacheControl: answered["cache-control"] };
    },
    failed: (url, err) =>
      log?.warn({ url, err }, "a JWKS document cannot be read; the last good keys serve on"),
  });
