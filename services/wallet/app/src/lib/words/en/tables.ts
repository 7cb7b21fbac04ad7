export const tables = {
  columns: { title: "Columns", sort: (name: string) => `Set in order by ${name}` },
};

export type Tables = typeof tables;
