import type { Money } from "../en/money.ts";

export const money: Money = {
  money: {
    form: "Introducir una tarjeta en su propio formulario",
    formWhy: "El número va de su navegador a la red de pagos. Remit nunca lo ve.",
    goThere: "Continuar al formulario",
    nowhere:
      "El formulario de la red de pagos no puede abrirse desde aquí. Pregunte a quien gestiona esta instalación.",
    unfinished:
      "La tarjeta no se guardó: el formulario no se terminó o el banco la rechazó. Empiece de nuevo cuando quiera.",
    makeDefault: "Usar esta",
    remove: "Quitar",
    removeTitle: (card: string) => `¿Quitar ${card}?`,
    removeWhy:
      "No se le carga nada más. Los mandatos que nombran esta tarjeta quedan en pausa hasta que los reanude.",
    removeDo: "Quitarla",
    changed: {
      default: "Desde ahora esta tarjeta paga lo que no nombra otra.",
      removed: "Está quitada.",
    },
    title: "Medios de pago",
    lead: "Con qué pagan sus agentes, dentro de los mandatos que usted da. Ni los comercios ni los agentes ven la tarjeta.",
    cards: "Sus tarjetas",
    empty: "Aún no hay ninguna tarjeta.",
    emptyHow:
      "Sin ella no se puede comprar nada que se pague con tarjeta: la compra se rechaza y nada se reserva.",
    default: "Se usa si el mandato no nombra otra",
    add: "Añadir una tarjeta",
    addWhy:
      "Esta instalación funciona en un entorno de pruebas: estas tarjetas no existen en otro lugar y no mueven dinero.",
    testCard: "Tarjeta de prueba",
    tests: {
      pm_card_visa: "paga",
      pm_card_mastercard: "paga",
      pm_card_amex: "paga",
      pm_card_chargeDeclined: "se rechaza",
    },
    save: "Guardar esta tarjeta",
    done: (card) => `${card} está guardada.`,
  },
};
