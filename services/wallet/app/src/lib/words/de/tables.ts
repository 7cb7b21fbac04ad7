import type { Tables } from "../en/tables.ts";

export const tables: Tables = {
  columns: { title: "Spalten", sort: (name) => `Nach ${name} ordnen` },
  views: {
    title: "Gespeicherte Ansichten",
    all: "Alles",
    keep: "Ansicht benennen",
    name: "Name der Ansicht",
    keepDo: "Behalten",
    remove: (name) => `„${name}“ entfernen`,
  },
};
