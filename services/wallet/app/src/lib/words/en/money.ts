export const money = {
  money: {
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
      pm_card_authenticationRequired: "its bank asks you",
      pm_card_chargeDeclined: "is declined",
    },
    save: "Save this card",
    done: (card: string) => `${card} is saved.`,
  },
};

export type Money = typeof money;
