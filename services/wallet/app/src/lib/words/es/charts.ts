import type { Charts } from "../en/charts.ts";

export const charts: Charts = {
  charts: {
    title: (currency) => `Gastado en ${currency}`,
    byAgent: "Por agente",
    byMerchant: "Por comercio",
    byCategory: "Por tipo de comercio",
    noCategory: "Sin tipo",
    daysAlt: (total, from, to) => `${total} gastados del ${from} al ${to}, día a día.`,
    from: "Desde",
    to: "Hasta",
    clear: "Mostrar todo",
    nothing: "Nada coincide.",
    nothingHow: "Quite un filtro o elija otros días.",
    perDay: (amount) => `Unos ${amount} al día.`,
    empties: (day) => `Si sigue así, el ${day} no quedará nada.`,
    lasts: "Si sigue así, dura hasta el final.",
    month: (spent, expected) => `${spent} este mes; ${expected} al acabar, si sigue así`,
  },
};
