import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "列の選択", sort: (name) => `${name}で並べる` },
};
