export const tables = {
  columns: { title: "Columns", sort: (name: string) => `Set in order by ${name}` },
  views: {
    title: "Saved views",
    all: "Everything",
    keep: "Name this view",
    name: "Name of the view",
    keepDo: "Keep",
    remove: (name: string) => `Remove “${name}”`,
  },
};

export type Tables = typeof tables;
