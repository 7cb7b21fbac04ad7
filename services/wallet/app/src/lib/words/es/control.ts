import type { Control } from "../en/control.ts";

export const control: Control = {
  history: {
    you: "Usted",
    remit: "Remit",
    change: "Cambio",
    by: "Por",
    when: "Cuándo",
    entry: "Entrada de auditoría",
    dates: "Sus fechas",
    undo: "Deshacer",
    what: {
      "mandate.issued": "Otorgado",
      "mandate.narrowed": "Reducido",
      "mandate.suspended": "En pausa",
      "mandate.resumed": "Reanudado",
      "mandate.revoked": "Revocado",
      "mandate.expired": "Terminado por su fecha",
      "mandate.exhausted": "Agotado",
    },
  },
  exports: {
    title: "Cedido a otros protocolos",
    lead: "Parte de este mandato puede gastarse donde nadie pregunta a Remit. Queda toda reservada hasta que su emisor diga qué se usó.",
    as: "Como",
    standing: "Estado",
    until: "Hasta",
    used: "Usado",
    revoke: "Pedir que se devuelva",
    kinds: {
      ap2: "Mandato de pago AP2",
      acp: "Permiso ACP",
      spt: "Token de pago compartido",
      x402: "Indicación x402",
    },
    states: {
      held: "reservado",
      revoking: "devolución pedida",
      closed: "cerrado",
      advisory: "solo una indicación",
    },
  },
  templates: {
    title: "Empiece con uno de estos y cambie lo que quiera:",
    names: {
      reading: "Lectura e investigación",
      errands: "Recados diarios",
      project: "Un proyecto",
    },
    words: (amount: string, each: string, days: string) =>
      `Hasta ${amount} en ${days} días, ${each} por compra.`,
    asked: (amount: string) => `Se le pregunta por encima de ${amount}.`,
    unasked: "No se le pregunta.",
  },
  privacy: {
    title: "Privacidad",
    lead: "Qué se guarda de usted y cómo llevárselo.",
    export: "Llevárselo todo",
    exportWhy:
      "Un archivo con todo lo que se guarda de usted: mandatos, compras, recibos, respuestas, los últimos dígitos de sus tarjetas y de qué se le avisó. No contiene secretos ni claves. Quizá deba iniciar sesión otra vez.",
    exportDo: "Descargar",
    elsewhere:
      "Su cuenta pertenece a una organización: quien la dirige exporta y borra lo que se guarda allí.",
    erase: "Olvidar lo que guarda el portal",
    consequences: [
      "Se olvidan todos los dispositivos y su dirección de correo: no se avisa de nada hasta que lo active de nuevo.",
      "La lista de avisos se borra en el acto.",
      "Los mandatos, los recibos y el registro de auditoría se quedan: prueban qué se permitió y se pagó, y la ley los exige durante años.",
      "Los agentes y los mandatos siguen. Para detenerlos, congélelos o revoque los mandatos.",
    ],
    eraseTitle: "¿Olvidar lo que el portal guarda de usted?",
    eraseWhy: "No se puede deshacer.",
    eraseDo: "Olvidarlo",
    word: "olvidar",
    forgotten: "Está olvidado.",
  },
};
