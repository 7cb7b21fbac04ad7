import type { Rules } from "../en/rules.ts";

export const rules: Rules = {
  rules: {
    title: "Regeln",
    lead: "Was Sie für alle Mandate zusammen bestimmen. Eine Regel gilt bei jedem Kauf, was auch immer sein Mandat sagt.",
    limits: "Grenzen über alles",
    limitsWhy:
      "Was alle Agenten, oder einer von ihnen, in einem Zeitraum ausgeben dürfen, über alle Mandate.",
    noLimit: "Es gibt keine: jedes Mandat steht für sich.",
    ask: "Wann Sie gefragt werden",
    askWhy: "Ein Kauf darüber wartet auf Ihr Ja.",
    noAsk: "Sie werden gefragt, wo ein Mandat es sagt.",
    blocked: "Wo nichts gekauft wird",
    blockedWhy: "Händler und Arten von Händlern, die keiner Ihrer Agenten bezahlen darf.",
    noneBlocked: "Niemand ist gesperrt.",
    everyAgent: "Alle Agenten zusammen",
    whose: "Wessen",
    period: "Zeitraum",
    amount: { limit: "Höchstens (optional)", threshold: "Mich fragen ab mehr als" },
    count: "Käufe höchstens (optional)",
    address: "Adresse des Händlers",
    category: "Art, etwa gambling",
    kindOf: (category) => `Jeder Händler der Art ${category}`,
    add: {
      limit: "Eine Grenze hinzufügen",
      threshold: "Einen Betrag festlegen",
      merchant: "Einen Händler sperren",
      category: "Eine Art von Händlern sperren",
    },
    set: "So festlegen",
    remove: "Entfernen",
    done: "So gilt es von jetzt an.",
  },
};
