export const problems = {
  problem: {
    title: "This page could not be shown",
    notFound: "There is no such page",
    back: "Back to the beginning",
    unreached: "No answer came for this page. Look whether this device is connected, and load it again.",
    again: "Load it again",
  },
};

export type Problems = typeof problems;
