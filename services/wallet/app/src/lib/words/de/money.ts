import type { Money } from "../en/money.ts";

export const money: Money = {
  money: {
    form: "Karte in ihrem eigenen Formular eingeben",
    formWhy: "Die Kartennummer geht von Ihrem Browser an das Zahlungsnetz. Remit sieht sie nie.",
    goThere: "Weiter zum Formular",
    nowhere:
      "Das Formular des Zahlungsnetzes lässt sich von hier nicht öffnen. Fragen Sie, wer diese Installation betreibt.",
    unfinished:
      "Die Karte wurde nicht gespeichert: Das Formular wurde nicht beendet, oder die Bank hat abgelehnt. Beginnen Sie neu, wann Sie wollen.",
    makeDefault: "Diese verwenden",
    remove: "Entfernen",
    removeTitle: (card: string) => `${card} entfernen?`,
    removeWhy:
      "Ihr wird nichts mehr belastet. Mandate, die diese Karte nennen, werden angehalten, bis Sie sie fortsetzen.",
    removeDo: "Entfernen",
    changed: {
      default: "Ab jetzt zahlt diese Karte, was keine andere nennt.",
      removed: "Sie ist entfernt.",
    },
    title: "Zahlungsmittel",
    lead: "Womit Ihre Agenten zahlen, im Rahmen der Mandate, die Sie geben. Händler und Agenten sehen die Karte nie.",
    cards: "Ihre Karten",
    empty: "Es gibt noch keine Karte.",
    emptyHow:
      "Ohne Karte kann nichts gekauft werden, was per Karte bezahlt wird: der Kauf wird abgelehnt und nichts zurückgelegt.",
    default: "Gilt, wenn ein Mandat keine andere nennt",
    add: "Eine Karte hinzufügen",
    addWhy:
      "Diese Installation läuft in einer Sandbox: diese Karten gibt es nirgends sonst, und sie bewegen kein Geld.",
    testCard: "Testkarte",
    tests: {
      pm_card_visa: "zahlt",
      pm_card_mastercard: "zahlt",
      pm_card_amex: "zahlt",
      pm_card_chargeDeclined: "wird abgelehnt",
    },
    save: "Diese Karte speichern",
    done: (card) => `${card} ist gespeichert.`,
  },
};
