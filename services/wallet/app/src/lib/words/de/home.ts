import type { Home } from "../en/home.ts";

export const home: Home = {
  home: {
    title: "Übersicht",
    mayBeSpent: "Agenten dürfen noch ausgeben",
    nothingMayBeSpent: "Agenten dürfen nichts ausgeben",
    ofAllowed: (allowed) => `von ${allowed}, die Sie erlaubt haben`,
    spent: (amount) => `${amount} ausgegeben`,
    held: (amount) => `${amount} zurückgelegt`,
    waiting: "Wartet auf Ihre Antwort",
    mandates: "Was Sie erlaubt haben",
    allMandates: "Alle Mandate",
    last: "Letzte Einträge",
    allActivity: "Alle Umsätze",
    empty: "Noch darf kein Agent etwas ausgeben.",
    emptyHow:
      "Wenn ein Agent um ein Mandat bittet, erscheint die Frage hier. Sie entscheiden, wie viel, wo und bis wann; beenden können Sie es jederzeit.",
    frozen: "Alles ist eingefroren. Kein Agent kann etwas kaufen, bis Sie es aufheben.",
  },
};
