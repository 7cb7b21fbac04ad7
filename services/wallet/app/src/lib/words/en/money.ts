export const money = {
  money: {
    form: "Enter a card at its own form",
    formWhy: "The card’s number goes from your browser to the payment network. Remit never sees it.",
    goThere: "Go on to the form",
    nowhere: "The payment network’s form cannot be opened from here. Ask whoever runs this installation.",
    unfinished:
      "The card was not saved: the form was not finished, or the bank refused. Begin again when you like.",
    makeDefault: "Use this one",
    remove: "Remove",
    removeTitle: (card: string) => `Remove ${card}?`,
    removeWhy:
      "Nothing is charged to it any more. Mandates that name this card are paused until you resume them.",
    removeDo: "Remove it",
    changed: {
      default: "From now on this card pays for what names no other.",
      removed: "It is removed.",
    },
    title: "Payment methods",
    lead: "What your agents pay with, within the mandates you give. Merchants and agents never see the card.",
    cards: "Your cards",
    empty: "There is no card yet.",
    emptyHow:
      "Without one, nothing that is paid by card can be bought: a purchase is refused and nothing is set aside.",
    default: "Used unless a mandate names another",
    add: "Add a card",
    addWhy: "This installation runs on a sandbox: these cards exist nowhere else, and move no money.",
    testCard: "Test card",
    tests: {
      pm_card_visa: "pays",
      pm_card_mastercard: "pays",
      pm_card_amex: "pays",
      pm_card_chargeDeclined: "is declined",
    },
    save: "Save this card",
    done: (card: string) => `${card} is saved.`,
  },
};

export type Money = typeof money;
