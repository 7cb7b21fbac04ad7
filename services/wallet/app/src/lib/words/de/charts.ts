import type { Charts } from "../en/charts.ts";

export const charts: Charts = {
  charts: {
    title: (currency) => `Ausgegeben in ${currency}`,
    byAgent: "Nach Agent",
    byMerchant: "Nach Händler",
    byCategory: "Nach Art des Händlers",
    noCategory: "Ohne Angabe",
    daysAlt: (total, from, to) => `${total} ausgegeben vom ${from} bis ${to}, Tag für Tag.`,
    from: "Von",
    to: "Bis",
    clear: "Alles zeigen",
    nothing: "Nichts passt.",
    nothingHow: "Nehmen Sie einen Filter weg oder wählen Sie andere Tage.",
    perDay: (amount) => `Etwa ${amount} am Tag.`,
    empties: (day) => `Geht es so weiter, ist am ${day} nichts mehr übrig.`,
    lasts: "Geht es so weiter, reicht es bis zum Ende.",
    month: (spent, expected) =>
      `${spent} in diesem Monat; ${expected} bis zu seinem Ende, wenn es so weitergeht`,
  },
};
