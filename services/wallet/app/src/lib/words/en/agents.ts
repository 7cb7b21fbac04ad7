export const agents = {
  agents: {
    title: "Agents",
    lead: "Whom you gave mandates, and the brake for each.",
    agent: "Agent",
    mandates: "Mandates in force",
    left: "May still spend",
    since: "Known since",
    freeze: "Freeze",
    unfreeze: "Lift the freeze",
    frozenSince: (when: string) => `Frozen since ${when}`,
    freezeAll: "Freeze everything",
    unfreezeAll: "Lift the freeze on everything",
    allFrozen: "Everything is frozen.",
    allFrozenWhy: "No agent can buy anything, whatever its mandates say.",
    freezeAllWhy:
      "Stops every purchase of every agent at once. Mandates stay as they are; you can lift it any time.",
    empty: "No agent has a mandate of yours.",
    emptyHow: "An agent appears here when it first asks you for a mandate, or when you give it one.",
    status: {
      active: "Active",
      suspended: "Suspended by its operator",
      decommissioned: "Closed by its operator",
    },
    frozen: "Frozen",
    done: { freeze: "It is frozen.", unfreeze: "It may use its mandates again." },
  },
};

export type Agents = typeof agents;
