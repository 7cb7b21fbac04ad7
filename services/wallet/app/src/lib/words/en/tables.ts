export const tables = {
  columns: { title: "Columns" },
};

export type Tables = typeof tables;
