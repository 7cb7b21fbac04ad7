import type { Agents } from "../en/agents.ts";

export const agents: Agents = {
  agents: {
    title: "Agentes",
    lead: "A quién dio mandatos, y el freno de cada uno.",
    agent: "Agente",
    mandates: "Mandatos en vigor",
    left: "Aún puede gastar",
    since: "Conocido desde el",
    freeze: "Congelar",
    unfreeze: "Levantar",
    frozenSince: (when) => `Congelado desde ${when}`,
    freezeAll: "Congelar todo",
    unfreezeAll: "Levantar la congelación de todo",
    allFrozen: "Todo está congelado.",
    allFrozenWhy: "Ningún agente puede comprar nada, digan lo que digan sus mandatos.",
    freezeAllWhy:
      "Detiene al instante cada compra de cada agente. Los mandatos quedan como están; puede levantarlo cuando quiera.",
    empty: "Ningún agente tiene un mandato suyo.",
    emptyHow: "Un agente aparece aquí cuando le pide un mandato por primera vez, o cuando usted se lo da.",
    status: {
      active: "Activo",
      suspended: "Suspendido por su operador",
      decommissioned: "Cerrado por su operador",
    },
    frozen: "Congelado",
    done: { freeze: "Está congelado.", unfreeze: "Puede volver a usar sus mandatos." },
  },
};
