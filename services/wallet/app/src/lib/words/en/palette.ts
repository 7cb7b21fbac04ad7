export const palette = {
  palette: {
    open: "Find",
    title: "Find or do anything",
    hint: "A page, a name, an id",
    found: "Found",
    actions: "Do",
    pages: "Go to",
    reversible: "Can be lifted any time",
    searching: "Searching",
    none: (typed: string) => `Nothing is called “${typed}”. An id is found when it is whole.`,
    count: (count: string) => `${count} to choose from`,
    keys: "↑ ↓ choose · Enter opens · Esc closes",
    kinds: {
      agent: "Agent",
      mandate: "Mandate",
      charge: "Purchase",
      merchant: "Merchant",
      approval: "Approval",
      offer: "Offer",
      webhook: "Webhook",
      entry: "Audit entry",
      request: "Request",
      dispute: "Dispute",
      shop: "Shop",
    },
  },
};

export type Palette = typeof palette;
