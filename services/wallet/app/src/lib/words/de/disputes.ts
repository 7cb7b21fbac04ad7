import type { Disputes } from "../en/disputes.ts";

export const disputes: Disputes = {
  dispute: {
    title: "Stimmt etwas nicht?",
    lead: "Wenn an diesem Kauf etwas falsch ist, sagen Sie es hier. Der Händler antwortet, und der signierte Beleg ist der Beweis.",
    begin: "Gegen diesen Kauf Einspruch erheben",
    open: "Einspruch erheben",
    reason: "Was falsch ist",
    statement: "Was geschah, in Ihren Worten",
    howMuch: (all) => `Wie viel (leer: alles, ${all})`,
    reasons: {
      not_delivered: "Es wurde nicht geliefert",
      not_as_described: "Es ist nicht wie beschrieben",
      unauthorized: "Ich habe es nicht erlaubt",
      duplicate: "Es wurde doppelt bezahlt",
      wrong_amount: "Der Betrag ist falsch",
      other: "Etwas anderes",
    },
    state: "Einspruch",
    states: {
      needs_response: "Der Händler muss antworten",
      under_review: "Wird entschieden",
      won: "Für den Händler entschieden",
      lost: "Für Sie entschieden",
      withdrawn: "Zurückgezogen",
    },
    atNetwork: "Beendet: Ihre Bank entscheidet",
    amount: "Über",
    opened: "Erhoben",
    respondBy: "Der Händler antwortet bis",
    refund: "Kommt zurück",
    withdraw: "Zurückziehen",
    done: {
      opened: "Der Einspruch ist erhoben. Der Händler weiß davon.",
      withdrawn: "Der Einspruch ist zurückgezogen.",
    },
  },
};
