import type { Refusals } from "./index.ts";

/** What happened, and what helps. Of codes that people meet themselves each has its own; the others share their family's. */
export const en: Refusals = {
  families: {
    missing: [
      "There is nothing of yours at this address.",
      "Go back and follow a link from the list: it may have moved or ended.",
    ],
    form: ["Something that was entered cannot be read.", "Check the fields, and send it once more."],
    forbidden: [
      "You may not do this.",
      "Ask the owner of the account or the organization to do it, or to let you.",
    ],
    signIn: ["This needs a fresh proof that it is you.", "Sign in again, and repeat it."],
    program: [
      "A program asked Remit in a way that it does not accept.",
      "Nothing was changed. Whoever writes the program needs the code and the request number below.",
    ],
    agent: [
      "The agent paid in a way that does not hold.",
      "Nothing was spent. Let the agent ask for the purchase anew; whoever runs it needs the code below.",
    ],
    merchant: [
      "The merchant’s side does not hold.",
      "Nothing was spent. Only the merchant can mend it; try another, or later.",
    ],
    mandate: [
      "The mandate does not cover this.",
      "Nothing was spent. Give the agent another mandate if it is meant to buy this.",
    ],
    stopped: [
      "This has been stopped for now.",
      "Lift the freeze or resume it first, if that is what you want.",
    ],
    payment: [
      "The payment did not go through.",
      "Look at your payment methods, and choose another if need be.",
    ],
    taken: ["This name or address is taken.", "Choose another."],
    full: ["There are as many as there may be.", "End one that is not needed, or change the plan."],
    changed: [
      "It is not as it was when you opened this page.",
      "Reload the page, and look before you repeat it.",
    ],
    over: ["This has ended, and stays so.", "Begin a new one if you still need it."],
    once: ["This was sent already.", "Do not send it again: reload the page and see how it went."],
    wait: ["Remit cannot answer just now. Nothing was changed.", "Wait a moment, and try again."],
    elsewhere: [
      "Another server did not answer as it should.",
      "What you see may be behind. Try again in a moment.",
    ],
    ours: [
      "Something failed on our side.",
      "Try again; if it fails once more, send us the request number below.",
    ],
    proof: [
      "A proof does not hold.",
      "Do not rely on what it was to show. Keep the file, and tell your operator.",
    ],
  },
  codes: {
    session_over: ["You are signed out.", "Sign in again; you come back to this page."],
    agent_frozen: [
      "The agent is frozen, or everything is.",
      "Lift the freeze on the page Agents if it is to buy again.",
    ],
    agent_suspended: [
      "The agent’s operator has suspended it.",
      "Nothing can be allowed to it until its operator resumes it.",
    ],
    agent_decommissioned: ["The agent has been closed by its operator.", "Set up another one."],
    already_settled: ["This has been paid already.", "Do not pay again: its receipt is under Activity."],
    approval_answered: [
      "This question was answered already, perhaps on another device.",
      "Reload the page: it shows the answer, which is final.",
    ],
    approval_denied: [
      "You said no to this purchase.",
      "Nothing was spent. If it was meant to pass, let the agent ask again.",
    ],
    approval_expired: ["The question is too old.", "Nothing was spent. The agent can ask again."],
    approval_limit_reached: ["Too many questions of this agent wait.", "Answer those that wait first."],
    approval_required: ["This purchase waits for your answer.", "Answer it under Approvals."],
    authentication_pending: [
      "Your bank has not confirmed this payment yet.",
      "Confirm it with your bank first, then approve it here.",
    ],
    authentication_required: [
      "Your bank wants to know that it is you.",
      "Confirm the payment with your bank under Approvals, or use another card.",
    ],
    card_declined: [
      "The card was declined.",
      "Nothing was spent. Add another card, or ask the bank that issued this one.",
    ],
    payment_declined: ["The payment was declined.", "Nothing was spent. Try another payment method."],
    instrument_missing: ["There is no payment method to pay with.", "Add a card under Payment methods."],
    charge_capture_too_late: [
      "The time to take this payment has passed.",
      "The amount went back. The agent can buy again.",
    ],
    charge_in_progress: [
      "How this purchase went is not known yet.",
      "Wait a moment: it is settled by itself, once.",
    ],
    charge_mandate_revoked: ["You revoked the mandate of this purchase.", "Nothing more is taken under it."],
    charge_offer_amount_exceeds_mandate: [
      "The price is above what the mandate allows for one purchase.",
      "Nothing was spent. Give a mandate with a higher limit if this is worth it.",
    ],
    dispute_exists: [
      "There is an open dispute about this purchase.",
      "Read that one; another can be opened once it is over.",
    ],
    dispute_not_possible: [
      "This purchase cannot be disputed.",
      "Only what was paid, did not come back and is not too old can be.",
    ],
    dispute_state_conflict: [
      "The dispute has gone on meanwhile.",
      "Reload the page, and see where it stands.",
    ],
    email_taken: ["There is an account with this e-mail address.", "Sign in instead."],
    forbidden: [
      "You may not do this.",
      "Ask the owner of the account or the organization to do it, or to let you.",
    ],
    idempotency_conflict: [
      "This form was sent before with other values.",
      "Reload the page, and fill it in anew.",
    ],
    idempotency_in_flight: ["This is still being done.", "Wait a moment, then reload the page."],
    insufficient_scope: [
      "This portal may not do that in your name.",
      "Sign out and in again, and let the portal do what it asks for.",
    ],
    insufficient_user_authentication: [
      "This needs a fresh sign-in with a second factor.",
      "Sign in again with your passkey or your authenticator app.",
    ],
    internal_error: [
      "Something failed on our side.",
      "Try again; if it fails once more, send us the request number below.",
    ],
    invalid_request: [
      "Something in the form is not right.",
      "Check amounts, dates and addresses, and send it once more.",
    ],
    invitation_invalid: [
      "The invitation is used, too old, or for somebody else.",
      "Ask for a new one, and open it signed in with the address it was sent to.",
    ],
    mandate_cap_exceeded: [
      "Not enough is left of the mandate.",
      "Nothing was spent. Give another mandate if the agent is to go on.",
    ],
    mandate_category_not_allowed: [
      "The mandate does not cover this kind of merchant.",
      "Nothing was spent. Give another mandate if it is meant to.",
    ],
    mandate_expired: ["This mandate has expired.", "Give a new one if the agent is to go on."],
    mandate_merchant_not_allowed: [
      "The mandate does not cover this merchant.",
      "Nothing was spent. Give a mandate that names it, if you trust it.",
    ],
    mandate_revoked: [
      "This mandate has been revoked and stays so.",
      "Give a new one if you changed your mind.",
    ],
    mandate_suspended: ["This mandate is paused.", "Resume it on its page if the agent is to buy again."],
    mandate_uses_exhausted: [
      "The mandate was for one purchase, which was made.",
      "Give another for the next.",
    ],
    mandate_velocity_exceeded: [
      "The limit for this period is reached.",
      "It opens again by itself with the next period.",
    ],
    mandate_would_widen: [
      "That would allow more than it does now.",
      "A mandate can only be narrowed: give a new one to allow more.",
    ],
    not_found: [
      "There is nothing of yours at this address.",
      "Go back and follow a link from the list: it may have moved or ended.",
    ],
    outbound_failed: [
      "Another server did not answer as it should.",
      "What you see may be behind. Try again in a moment.",
    ],
    passkey_refused: [
      "The passkey was not accepted.",
      "Use one that is listed under Security, and try again.",
    ],
    step_up_refused: ["It was not confirmed by you.", "Nothing was approved. Confirm it with your passkey."],
    precondition_failed: [
      "It was changed meanwhile, perhaps on another device.",
      "Reload the page, look at it, and make your change anew.",
    ],
    rate_limited: ["Too many requests in a short time.", "Wait a moment."],
    refund_refused: [
      "The refund was refused, and nothing came back.",
      "Open a dispute from the receipt if it is due to you.",
    ],
    rule_category_blocked: [
      "A rule of yours blocks this kind of merchant.",
      "Nothing was spent. Change it under Rules if that is not what you want.",
    ],
    rule_limit_exceeded: [
      "A limit of yours over all mandates is reached.",
      "It opens again with the next period, or raise it under Rules.",
    ],
    rule_merchant_blocked: [
      "A rule of yours blocks this merchant.",
      "Nothing was spent. Change it under Rules if that is not what you want.",
    ],
    setup_token_invalid: ["The setup token was used, or is too old.", "Make another on the page Agents."],
    temporarily_unavailable: [
      "Remit cannot answer just now. Nothing was changed.",
      "Wait a moment, and try again.",
    ],
    unavailable: ["Remit cannot answer just now. Nothing was changed.", "Wait a moment, and try again."],
  },
};
