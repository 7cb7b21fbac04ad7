import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "Columnas", sort: (name) => `Ordenar por ${name}` },
};
