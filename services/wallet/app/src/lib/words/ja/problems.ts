import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "このページを表示できません",
    notFound: "そのようなページはありません",
    back: "最初に戻る",
    unreached: "このページの応答がありませんでした。端末の接続を確認して、もう一度読み込んでください。",
    again: "再読み込み",
  },
};
