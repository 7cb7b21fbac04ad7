import type { Rules } from "../en/rules.ts";

export const rules: Rules = {
  rules: {
    title: "Reglas",
    lead: "Lo que usted decide para todos los mandatos juntos. Una regla se aplica en cada compra, diga lo que diga su mandato.",
    limits: "Límites sobre todo",
    limitsWhy:
      "Lo que todos los agentes, o uno de ellos, pueden gastar en un periodo, con todos sus mandatos.",
    noLimit: "No hay ninguno: cada mandato vale por sí solo.",
    ask: "Cuándo se le pregunta",
    askWhy: "Una compra por encima espera su sí.",
    noAsk: "Se le pregunta donde lo dice un mandato.",
    blocked: "Dónde no se compra nada",
    blockedWhy: "Comercios y tipos de comercio a los que ningún agente suyo puede pagar.",
    noneBlocked: "Nadie está bloqueado.",
    everyAgent: "Todos los agentes juntos",
    whose: "De quién",
    period: "Periodo",
    amount: { limit: "Como máximo (opcional)", threshold: "Preguntarme por encima de" },
    count: "Compras como máximo (opcional)",
    address: "Dirección del comercio",
    category: "Tipo, por ejemplo gambling",
    kindOf: (category) => `Todo comercio del tipo ${category}`,
    add: {
      limit: "Añadir un límite",
      threshold: "Fijar un importe",
      merchant: "Bloquear un comercio",
      category: "Bloquear un tipo de comercio",
    },
    set: "Fijar esta regla",
    remove: "Quitar",
    done: "Así rige desde ahora.",
  },
};
