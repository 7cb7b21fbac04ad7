import { type Route, route } from "@remit/platform/http";
import type { Forwarding } from "@remit/platform/peers";
import { ForwardingBody } from "@remit/protocol/contracts";

/** Of the whole service, and no tenant's: how late what happened here comes to everybody's logs. */
export const forwardingRoute = ({ state }: Forwarding): Route =>
  route({
    method: "GET",
    path: "/api/v1/forwarding",
    summary: "How late what this service recorded comes to the issuer's logs, signals and webhooks.",
    needs: { scope: "billing:read" },
    answers: { 200: ForwardingBody },
    handle: async () => ({ status: 200, body: await state() }),
  });
