import type { Notices } from "../en/notices.ts";

export const notices: Notices = {
  notices: {
    title: "Notificaciones",
    lead: "Cómo se entera de que un agente pregunta, o de que se movió dinero, cuando no hay ninguna página de Remit abierta.",
    here: "En este dispositivo",
    hereLead:
      "Su navegador muestra un aviso: qué agente pregunta, por cuánto y dónde, mientras tenga la sesión abierta aquí. Si no, dice solo que uno pregunta. Quien transporta el aviso no lee nombres ni importes.",
    turnOn: "Avisarme en este dispositivo",
    turnOff: "Dejar de avisar en este dispositivo",
    on: "Se avisa en este dispositivo.",
    unsupported:
      "Este navegador no puede mostrar notificaciones. En un teléfono, añada antes Remit a la pantalla de inicio, o elija abajo el correo.",
    denied:
      "Este navegador rechaza las notificaciones de Remit. Permítalas en sus ajustes para este sitio y vuelva a abrir esta página.",
    failed:
      "No se pudo contactar con el servicio de avisos de este navegador. Inténtelo dentro de un momento, o elija abajo el correo.",
    devices: "Dispositivos avisados",
    since: "desde",
    mail: "Correo electrónico",
    mailLead: (to: string) =>
      `A ${to}. Una carta sobre una pregunta espera 20 segundos y no se escribe si responde mientras tanto.`,
    about: "Avisarme de",
    questions: "Preguntas de agentes",
    money: "Dinero movido",
    save: "Guardar",
    saved: "Guardado.",
    remove: "Quitar",
    lately: "De qué se le avisó",
    nothing: "Todavía nada.",
    nothingHow: "Cuando un agente pregunte, aquí constará durante 30 días qué se le envió y por qué vía.",
    what: "Qué",
    when: "Cuándo",
    way: "Por",
    became: "Qué fue de ello",
    kinds: {
      question: "Una pregunta",
      capture: "Un pago",
      refund: "Un reembolso",
    },
    ways: {
      mail: "Correo",
      push: "Dispositivo",
    },
    states: {
      waiting: "a punto de enviarse",
      sending: "en camino",
      sent: "enviado",
      late: "ya no hacía falta",
      refused: "no se pudo enviar",
      unknown: "quizá haya llegado",
    },
    inbox: "Cartas que se habrían enviado",
    inboxLead:
      "Esta instancia no tiene servidor de correo, por eso guarda las cartas aquí. Usted ve solo las suyas.",
    inboxEmpty: "Todavía no hay cartas.",
    paidTo: (amount, merchant) => `${amount} pagados a ${merchant}`,
    cameBack: (amount, merchant) => `${amount} devueltos por ${merchant}`,
    offer: "Enterarse cuando un agente pregunta",
  },
};
