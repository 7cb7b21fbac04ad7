import type { Home } from "../en/home.ts";

export const home: Home = {
  home: {
    title: "Inicio",
    mayBeSpent: "Los agentes aún pueden gastar",
    nothingMayBeSpent: "Los agentes no pueden gastar nada",
    ofAllowed: (allowed) => `de los ${allowed} que usted autorizó`,
    spent: (amount) => `${amount} gastados`,
    held: (amount) => `${amount} apartados`,
    waiting: "Espera su respuesta",
    mandates: "Lo que usted autorizó",
    allMandates: "Todos los mandatos",
    last: "Últimos apuntes",
    allActivity: "Todos los movimientos",
    empty: "Ningún agente puede gastar nada todavía.",
    emptyHow:
      "Cuando un agente pida un mandato, la pregunta aparecerá aquí. Usted decide cuánto, dónde y hasta cuándo; puede detenerlo en cualquier momento.",
    frozen: "Todo está congelado. Ningún agente puede comprar nada hasta que usted lo levante.",
  },
};
