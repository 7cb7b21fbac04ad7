export const disputes = {
  dispute: {
    title: "Not as it should be?",
    lead: "If something is wrong with this purchase, say so here. The merchant answers, and the signed receipt is the evidence.",
    begin: "Dispute this purchase",
    open: "Open the dispute",
    reason: "What is wrong",
    statement: "What happened, in your words",
    howMuch: (all: string) => `How much (all of ${all} if left empty)`,
    reasons: {
      not_delivered: "It was not delivered",
      not_as_described: "It is not as described",
      unauthorized: "I did not allow it",
      duplicate: "It was paid twice",
      wrong_amount: "The amount is wrong",
      other: "Something else",
    },
    state: "Dispute",
    states: {
      needs_response: "The merchant has to answer",
      under_review: "Being judged",
      won: "Decided for the merchant",
      lost: "Decided for you",
      withdrawn: "Withdrawn",
    },
    atNetwork: "Closed: your bank decides it",
    amount: "About",
    opened: "Opened",
    respondBy: "The merchant answers until",
    refund: "Comes back",
    withdraw: "Withdraw it",
    done: {
      opened: "The dispute is open. The merchant has been told.",
      withdrawn: "The dispute is withdrawn.",
    },
  },
};

export type Disputes = typeof disputes;
