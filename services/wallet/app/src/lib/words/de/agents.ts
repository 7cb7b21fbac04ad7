import type { Agents } from "../en/agents.ts";

export const agents: Agents = {
  agents: {
    title: "Agenten",
    lead: "Wem Sie Mandate erteilt haben, und die Bremse für jeden.",
    agent: "Agent",
    mandates: "Mandate in Kraft",
    left: "Darf noch ausgeben",
    since: "Bekannt seit",
    freeze: "Einfrieren",
    unfreeze: "Freigeben",
    frozenSince: (when) => `Eingefroren seit ${when}`,
    freezeAll: "Alles einfrieren",
    unfreezeAll: "Alles wieder freigeben",
    allFrozen: "Alles ist eingefroren.",
    allFrozenWhy: "Kein Agent kann etwas kaufen, was auch immer seine Mandate sagen.",
    freezeAllWhy:
      "Hält jeden Kauf jedes Agenten sofort an. Die Mandate bleiben, wie sie sind; Sie können es jederzeit aufheben.",
    empty: "Kein Agent hat ein Mandat von Ihnen.",
    emptyHow:
      "Ein Agent erscheint hier, wenn er Sie zum ersten Mal um ein Mandat bittet oder Sie ihm eines erteilen.",
    status: {
      active: "Aktiv",
      suspended: "Vom Betreiber angehalten",
      decommissioned: "Vom Betreiber geschlossen",
    },
    frozen: "Eingefroren",
    done: { freeze: "Er ist eingefroren.", unfreeze: "Er darf seine Mandate wieder nutzen." },
  },
};
