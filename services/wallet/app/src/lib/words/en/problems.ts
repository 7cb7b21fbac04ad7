export const problems = {
  problem: {
    title: "This page could not be shown",
    notFound: "There is no such page",
    back: "Back to the beginning",
    remedy: "What helps",
    codes: {
      not_found: "There is nothing of yours at this address.",
      session_over: "You are signed out. Sign in again.",
      unavailable: "Remit cannot answer just now. Nothing was changed.",
      temporarily_unavailable: "Remit cannot answer just now. Nothing was changed.",
      outbound_failed:
        "Another server did not answer as it should. What you see may be behind; try again in a moment.",
      rate_limited: "Too many requests in a short time. Wait a moment.",
      invalid_request: "Something in the form is not right.",
      mandate_revoked: "This mandate has been revoked and stays so.",
      mandate_expired: "This mandate has expired.",
      mandate_would_widen: "That would allow more than it does now. A mandate can only be narrowed.",
      approval_answered: "This question was answered already, perhaps on another device.",
      approval_expired: "The question is too old. The agent can ask again.",
      agent_suspended: "The agent’s operator has suspended it. Nothing can be allowed to it now.",
      insufficient_user_authentication: "This needs a fresh sign-in with a second factor.",
      insufficient_scope: "This portal may not do that in your name.",
      idempotency_conflict: "This form was sent before with other values. Reload the page.",
    } as Partial<Record<string, string>>,
  },
};

export type Problems = typeof problems;
