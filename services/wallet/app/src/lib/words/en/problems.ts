export const problems = {
  problem: {
    title: "This page could not be shown",
    notFound: "There is no such page",
    back: "Back to the beginning",
  },
};

export type Problems = typeof problems;
