import { minuteMs, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { ExchangeWorkflowToken, WorkflowToken } from "@remit/protocol/contracts";
import { endOf, tokenForAgent, tokenToRegister, type WorkflowDeps } from "./workflow-token.ts";

/** How a workflow that has nothing but what GitHub says of it gets a token. */
export const workflowTokenRoute = (deps: WorkflowDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/oidc/token",
    summary: "A token for an agent, or to register one, by the word of GitHub Actions",
    needs: "public",
    limit: { count: 120, windowMs: minuteMs, by: "ip" },
    body: ExchangeWorkflowToken,
    answers: {
      200: WorkflowToken,
      400: ["invalid_request", "invalid_grant", "invalid_scope"],
      403: "bound_token_required",
      503: "unavailable",
    },
    handle: async ({ now }, { body: { token, scope, agentId: agent, organizationId: tenant } }) => {
      const answer =
        agent !== undefined
          ? await tokenForAgent(deps, { agent, token, scope, now })
          : tenant !== undefined
            ? await tokenToRegister(deps, { tenant, token, scope, now })
            : undefined;
      if (answer?.token_type !== "Bearer") throw new Problem("invalid_request");
      const { access_token, token_type, expires_in, scope: given = "" } = answer;
      const expires_at = toRfc3339(endOf(answer, now));
      const headers = { "cache-control": "no-store" };
      return {
        status: 200,
        headers,
        body: { access_token, token_type, expires_in, expires_at, scope: given },
      };
    },
  });
