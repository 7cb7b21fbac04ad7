import type { Shell } from "../en/shell.ts";

export const shell: Shell = {
  app: {
    name: "Remit",
    skip: "Zum Inhalt",
    title: (page) => `${page} · Remit`,
    menu: "Seiten",
    signedInAs: (who) => `Angemeldet als ${who}`,
    organizations: "Organisationen",
    signOut: "Abmelden",
    signIn: "Anmelden",
    theme: { label: "Darstellung", system: "Wie das System", light: "Papier", dark: "Tinte" },
    language: "Sprache",
    testMoney: "Testgeld",
    testMoneyWhy: "Hier bewegt sich kein echtes Geld.",
    close: "Schließen",
    cancel: "Abbrechen",
    request: (id) => `Anfrage ${id}`,
    inAgentsWords: "In den Worten des Agenten",
    unverified: "Diesen Namen hat niemand geprüft.",
    older: "Ältere Einträge",
    none: "–",
  },
  nav: {
    home: "Übersicht",
    mandates: "Mandate",
    approvals: "Freigaben",
    activity: "Umsätze",
    agents: "Agenten",
    rules: "Regeln",
    money: "Zahlungsmittel",
    security: "Sicherheit",
    waiting: (count) => `${count} warten auf Sie`,
  },
  out: {
    title: "Abgemeldet",
    lead: "Sie sind vom Portal abgemeldet.",
    ended: "Ihre Sitzung ist beendet, hier oder auf einem anderen Gerät. Es ging nichts verloren.",
    again: "Wieder anmelden",
    refusedTitle: "Nicht angemeldet",
    refused: {
      access_denied: "Sie haben das Portal nicht eingelassen. Nichts wurde geändert.",
      sign_in_unknown:
        "Diese Anmeldung ist zu alt oder wurde in einem anderen Browser begonnen. Beginnen Sie hier neu.",
      sign_in_mixed_up: "Die Antwort kam von jemand anderem. Nichts wurde angenommen.",
      other: "Die Anmeldung kam nicht zustande. Versuchen Sie es gleich noch einmal.",
    },
    welcome: "Was Ihre Agenten ausgeben, und die Bremse.",
    welcomeLead:
      "Remit gibt KI-Agenten eine Identität, ein Budget und einen Beleg. Hier entscheiden Sie, wie viel sie ausgeben dürfen, sehen, was sie gekauft haben, und halten mit einem Tipp alles an.",
  },
};
