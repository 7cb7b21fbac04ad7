export const control = {
  history: {
    you: "You",
    remit: "Remit",
    change: "Change",
    by: "By",
    when: "When",
    entry: "Audit entry",
    dates: "Its dates",
    undo: "Undo",
    what: {
      "mandate.issued": "Given",
      "mandate.narrowed": "Narrowed",
      "mandate.suspended": "Paused",
      "mandate.resumed": "Resumed",
      "mandate.revoked": "Revoked",
      "mandate.expired": "Ended by its date",
      "mandate.exhausted": "Used up",
    },
  },
  exports: {
    title: "Given to other protocols",
    lead: "Part of this mandate can be spent where nobody asks Remit. All of it is set aside until its issuer says what was used.",
    as: "As",
    standing: "Standing",
    until: "Until",
    used: "Used",
    revoke: "Ask it back",
    kinds: {
      ap2: "AP2 payment mandate",
      acp: "ACP allowance",
      spt: "Shared payment token",
      x402: "x402 advice",
    },
    states: {
      held: "set aside",
      revoking: "asked back",
      closed: "closed",
      advisory: "advice alone",
    },
  },
  templates: {
    title: "Begin with one of these, and change what you like:",
    names: {
      reading: "Reading and research",
      errands: "Everyday errands",
      project: "A project",
    },
    words: (amount: string, each: string, days: string) =>
      `Up to ${amount} in ${days} days, ${each} at a time.`,
    asked: (amount: string) => `You are asked above ${amount}.`,
    unasked: "You are not asked.",
  },
  privacy: {
    title: "Privacy",
    lead: "What is kept of you, and how you take it along.",
    export: "Take everything along",
    exportWhy:
      "One file with all that is kept of you: mandates, purchases, receipts, approvals, your cards’ last digits, and what you were told. Secrets and keys are not in it. You may be asked to sign in once more.",
    exportDo: "Download",
    elsewhere:
      "Your account belongs to an organization: whoever runs it exports and erases what is kept there.",
    erase: "Forget what the portal keeps",
    consequences: [
      "Every device and your e-mail address are forgotten: nobody is told anything until you turn it on again.",
      "The list of what you were told is erased at once.",
      "Mandates, receipts and the audit log stay: they prove what was allowed and paid, and the law asks for them for years.",
      "Agents and mandates go on. To stop them, freeze them or revoke the mandates.",
    ],
    eraseTitle: "Forget what the portal keeps of you?",
    eraseWhy: "This cannot be undone.",
    eraseDo: "Forget it",
    word: "forget",
    forgotten: "It is forgotten.",
  },
};

export type Control = typeof control;
