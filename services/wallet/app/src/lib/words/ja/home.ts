import type { Home } from "../en/home.ts";

export const home: Home = {
  home: {
    title: "ホーム",
    mayBeSpent: "エージェントがまだ使える額",
    nothingMayBeSpent: "エージェントは何も使えません",
    ofAllowed: (allowed) => `許可した ${allowed} のうち`,
    spent: (amount) => `使用済み ${amount}`,
    held: (amount) => `確保中 ${amount}`,
    waiting: "回答待ち",
    mandates: "許可した内容",
    allMandates: "すべての委任",
    last: "最近の記録",
    allActivity: "すべての取引",
    empty: "まだどのエージェントもお金を使えません。",
    emptyHow:
      "エージェントが委任を求めると、ここに質問が表示されます。いくらまで、どこで、いつまでかを決めるのはあなたです。いつでも止められます。",
    frozen: "すべて凍結されています。解除するまで、どのエージェントも購入できません。",
  },
};
