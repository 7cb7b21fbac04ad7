import type { Control } from "../en/control.ts";

export const control: Control = {
  history: {
    you: "Sie",
    remit: "Remit",
    change: "Änderung",
    by: "Durch",
    when: "Wann",
    entry: "Audit-Eintrag",
    dates: "Seine Daten",
    undo: "Rückgängig",
    what: {
      "mandate.issued": "Erteilt",
      "mandate.narrowed": "Eingeschränkt",
      "mandate.suspended": "Angehalten",
      "mandate.resumed": "Fortgesetzt",
      "mandate.revoked": "Widerrufen",
      "mandate.expired": "Durch sein Datum beendet",
      "mandate.exhausted": "Aufgebraucht",
    },
  },
  exports: {
    title: "An andere Protokolle gegeben",
    lead: "Ein Teil dieses Mandats kann dort ausgegeben werden, wo niemand Remit fragt. Er bleibt ganz zurückgelegt, bis der Aussteller sagt, was verbraucht wurde.",
    as: "Als",
    standing: "Stand",
    until: "Bis",
    used: "Verbraucht",
    revoke: "Zurückfordern",
    kinds: {
      ap2: "AP2-Zahlungsmandat",
      acp: "ACP-Erlaubnis",
      spt: "Shared Payment Token",
      x402: "x402-Hinweis",
    },
    states: {
      held: "zurückgelegt",
      revoking: "zurückgefordert",
      closed: "geschlossen",
      advisory: "nur ein Hinweis",
    },
  },
  templates: {
    title: "Beginnen Sie mit einem davon und ändern Sie, was Sie wollen:",
    names: {
      reading: "Lesen und Recherche",
      errands: "Tägliche Besorgungen",
      project: "Ein Projekt",
    },
    words: (amount: string, each: string, days: string) =>
      `Bis zu ${amount} in ${days} Tagen, je Kauf ${each}.`,
    asked: (amount: string) => `Über ${amount} werden Sie gefragt.`,
    unasked: "Sie werden nicht gefragt.",
  },
  privacy: {
    title: "Datenschutz",
    lead: "Was über Sie aufbewahrt wird, und wie Sie es mitnehmen.",
    export: "Alles mitnehmen",
    exportWhy:
      "Eine Datei mit allem, was über Sie aufbewahrt wird: Mandate, Käufe, Belege, Antworten, die letzten Ziffern Ihrer Karten und was Ihnen gesagt wurde. Geheimnisse und Schlüssel stehen nicht darin. Vielleicht müssen Sie sich noch einmal anmelden.",
    exportDo: "Herunterladen",
    elsewhere:
      "Ihr Konto gehört zu einer Organisation: Wer sie führt, exportiert und löscht, was dort aufbewahrt wird.",
    erase: "Vergessen, was das Portal aufbewahrt",
    consequences: [
      "Alle Geräte und Ihre E-Mail-Adresse werden vergessen: Niemand wird benachrichtigt, bis Sie es wieder einschalten.",
      "Die Liste dessen, was Ihnen gesagt wurde, wird sofort gelöscht.",
      "Mandate, Belege und das Audit-Protokoll bleiben: Sie beweisen, was erlaubt und bezahlt wurde, und das Gesetz verlangt sie jahrelang.",
      "Agenten und Mandate laufen weiter. Um sie anzuhalten, frieren Sie sie ein oder widerrufen Sie die Mandate.",
    ],
    eraseTitle: "Vergessen, was das Portal über Sie aufbewahrt?",
    eraseWhy: "Das lässt sich nicht rückgängig machen.",
    eraseDo: "Vergessen",
    word: "vergessen",
    forgotten: "Es ist vergessen.",
  },
};
