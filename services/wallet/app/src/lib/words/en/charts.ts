export const charts = {
  charts: {
    title: (currency: string) => `Spent in ${currency}`,
    byAgent: "By agent",
    byMerchant: "By merchant",
    byCategory: "By kind of merchant",
    noCategory: "No kind given",
    daysAlt: (total: string, from: string, to: string) => `${total} spent from ${from} to ${to}, day by day.`,
    from: "From",
    to: "To",
    clear: "Show everything",
    nothing: "Nothing matches.",
    nothingHow: "Take a filter away, or choose other days.",
    perDay: (amount: string) => `About ${amount} a day.`,
    empties: (day: string) => `If it goes on so, nothing is left on ${day}.`,
    lasts: "If it goes on so, it lasts until it ends.",
    month: (spent: string, expected: string) =>
      `${spent} this month; ${expected} by its end if it goes on so`,
  },
};

export type Charts = typeof charts;
