export const home = {
  home: {
    title: "Home",
    mayBeSpent: "Agents may still spend",
    nothingMayBeSpent: "Agents may spend nothing",
    ofAllowed: (allowed: string) => `of ${allowed} that you allowed`,
    spent: (amount: string) => `${amount} spent`,
    held: (amount: string) => `${amount} set aside`,
    waiting: "Waiting for your answer",
    mandates: "What you allowed",
    allMandates: "All mandates",
    last: "Last entries",
    allActivity: "All activity",
    empty: "No agent may spend anything yet.",
    emptyHow:
      "When an agent asks for a mandate, the question appears here. You decide how much, where and until when; you can stop it at any time.",
    frozen: "Everything is frozen. No agent can buy anything until you lift it.",
  },
};

export type Home = typeof home;
