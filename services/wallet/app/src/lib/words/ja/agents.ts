import type { Agents } from "../en/agents.ts";

export const agents: Agents = {
  agents: {
    title: "エージェント",
    lead: "委任を与えた相手と、それぞれのブレーキです。",
    agent: "エージェント",
    mandates: "有効な委任",
    left: "まだ使える額",
    since: "最初の日",
    freeze: "凍結する",
    unfreeze: "凍結を解除",
    frozenSince: (when) => `${when}から凍結中`,
    freezeAll: "すべて凍結する",
    unfreezeAll: "すべての凍結を解除",
    allFrozen: "すべて凍結されています。",
    allFrozenWhy: "委任の内容にかかわらず、どのエージェントも購入できません。",
    freezeAllWhy: "すべてのエージェントの購入を直ちに止めます。委任はそのままで、いつでも解除できます。",
    empty: "あなたの委任を持つエージェントはいません。",
    emptyHow: "エージェントが初めて委任を求めたとき、またはあなたが与えたとき、ここに表示されます。",
    status: { active: "稼働中", suspended: "運営者により停止", decommissioned: "運営者により終了" },
    frozen: "凍結中",
    done: { freeze: "凍結しました。", unfreeze: "再び委任を使えるようになりました。" },
  },
};
