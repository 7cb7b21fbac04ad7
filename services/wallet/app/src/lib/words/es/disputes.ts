import type { Disputes } from "../en/disputes.ts";

export const disputes: Disputes = {
  dispute: {
    title: "¿Algo no está bien?",
    lead: "Si algo falla en esta compra, dígalo aquí. El comercio responde, y el recibo firmado es la prueba.",
    begin: "Disputar esta compra",
    open: "Abrir la disputa",
    reason: "Qué está mal",
    statement: "Qué pasó, en sus palabras",
    howMuch: (all) => `Cuánto (vacío: todo, ${all})`,
    reasons: {
      not_delivered: "No se entregó",
      not_as_described: "No es como se describió",
      unauthorized: "No lo autoricé",
      duplicate: "Se pagó dos veces",
      wrong_amount: "El importe es incorrecto",
      other: "Otra cosa",
    },
    state: "Disputa",
    states: {
      needs_response: "El comercio debe responder",
      under_review: "Se está juzgando",
      won: "Decidida a favor del comercio",
      lost: "Decidida a su favor",
      withdrawn: "Retirada",
    },
    atNetwork: "Cerrada: decide su banco",
    amount: "Sobre",
    opened: "Abierta",
    respondBy: "El comercio responde hasta",
    refund: "Vuelve",
    withdraw: "Retirarla",
    done: {
      opened: "La disputa está abierta. El comercio ya lo sabe.",
      withdrawn: "La disputa está retirada.",
    },
  },
};
