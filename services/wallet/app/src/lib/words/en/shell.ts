export const shell = {
  app: {
    name: "Remit",
    skip: "Skip to content",
    title: (page: string) => `${page} · Remit`,
    menu: "Pages",
    signedInAs: (who: string) => `Signed in as ${who}`,
    signOut: "Sign out",
    signIn: "Sign in",
    theme: { label: "Appearance", system: "As the system", light: "Paper", dark: "Ink" },
    language: "Language",
    testMoney: "Test money",
    testMoneyWhy: "Nothing here moves real money.",
    close: "Close",
    cancel: "Cancel",
    request: (id: string) => `Request ${id}`,
    inAgentsWords: "In the agent’s words",
    unverified: "Nobody has verified this name.",
    older: "Older entries",
    none: "–",
  },
  nav: {
    home: "Home",
    mandates: "Mandates",
    approvals: "Approvals",
    activity: "Activity",
    agents: "Agents",
    security: "Security",
    waiting: (count: string) => `${count} waiting for you`,
  },
  out: {
    title: "Signed out",
    lead: "You are signed out of the portal.",
    again: "Sign in again",
    refusedTitle: "Not signed in",
    refused: {
      access_denied: "You did not let the portal in. Nothing was changed.",
      sign_in_unknown: "This sign-in is too old, or was begun in another browser. Begin again here.",
      sign_in_mixed_up: "The answer came from somebody else. Nothing was accepted.",
      other: "The sign-in did not come through. Try again in a moment.",
    },
    welcome: "What your agents spend, and the brake.",
    welcomeLead:
      "Remit gives AI agents an identity, a budget and a receipt. Here you decide how much they may spend, see what they bought, and stop anything in one tap.",
  },
};

export type Shell = typeof shell;
