import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "Columnas", sort: (name) => `Ordenar por ${name}` },
  views: {
    title: "Vistas guardadas",
    all: "Todo",
    keep: "Dar nombre a esta vista",
    name: "Nombre de la vista",
    keepDo: "Guardar",
    remove: (name) => `Quitar «${name}»`,
  },
};
