import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "Spalten", sort: (name) => `Nach ${name} ordnen` },
};
