import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "このページを表示できません",
    notFound: "そのようなページはありません",
    back: "最初に戻る",
  },
};
