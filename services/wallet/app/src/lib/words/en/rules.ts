export const rules = {
  rules: {
    title: "Rules",
    lead: "What you decide for all mandates together. A rule is asked at every purchase, whatever its mandate says.",
    limits: "Limits over everything",
    limitsWhy: "What all agents, or one of them, may spend in a period, over all their mandates.",
    noLimit: "There is none: each mandate stands for itself.",
    ask: "When you are asked",
    askWhy: "A purchase above it waits for your yes.",
    noAsk: "You are asked where a mandate says so.",
    blocked: "Where nothing is bought",
    blockedWhy: "Merchants and kinds of merchants that no agent of yours may pay.",
    noneBlocked: "Nobody is blocked.",
    everyAgent: "All agents together",
    whose: "Whose",
    period: "Period",
    amount: { limit: "At most (optional)", threshold: "Ask me above" },
    count: "Purchases at most (optional)",
    address: "Address of the merchant",
    category: "Kind, such as gambling",
    kindOf: (category: string) => `Every merchant of the kind ${category}`,
    add: {
      limit: "Add a limit",
      threshold: "Set an amount",
      merchant: "Block a merchant",
      category: "Block a kind of merchant",
    },
    set: "Set this rule",
    remove: "Remove",
    done: "It is ruled so from now on.",
  },
};

export type Rules = typeof rules;
