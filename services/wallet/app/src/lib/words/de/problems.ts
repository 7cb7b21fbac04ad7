import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "Diese Seite kann nicht gezeigt werden",
    notFound: "Eine solche Seite gibt es nicht",
    back: "Zurück zum Anfang",
  },
};
