import type { Shell } from "../en/shell.ts";

export const shell: Shell = {
  app: {
    name: "Remit",
    skip: "Ir al contenido",
    title: (page) => `${page} · Remit`,
    menu: "Páginas",
    signedInAs: (who) => `Sesión de ${who}`,
    organizations: "Organizaciones",
    signOut: "Cerrar sesión",
    signIn: "Iniciar sesión",
    theme: { label: "Apariencia", system: "Como el sistema", light: "Papel", dark: "Tinta" },
    language: "Idioma",
    testMoney: "Dinero de prueba",
    testMoneyWhy: "Aquí no se mueve dinero real.",
    close: "Cerrar",
    cancel: "Cancelar",
    request: (id) => `Solicitud ${id}`,
    inAgentsWords: "En palabras del agente",
    unverified: "Nadie ha verificado este nombre.",
    older: "Apuntes anteriores",
    none: "–",
  },
  nav: {
    home: "Inicio",
    mandates: "Mandatos",
    approvals: "Aprobaciones",
    activity: "Movimientos",
    agents: "Agentes",
    rules: "Reglas",
    money: "Medios de pago",
    security: "Seguridad",
    waiting: (count) => `${count} esperan su respuesta`,
  },
  out: {
    title: "Sesión cerrada",
    lead: "Ha cerrado la sesión del portal.",
    ended: "Su sesión terminó, aquí o en otro dispositivo. No se ha perdido nada.",
    again: "Iniciar sesión de nuevo",
    refusedTitle: "Sin sesión",
    refused: {
      access_denied: "No dejó entrar al portal. No se cambió nada.",
      sign_in_unknown:
        "Este inicio de sesión es demasiado antiguo o empezó en otro navegador. Empiece de nuevo aquí.",
      sign_in_mixed_up: "La respuesta vino de otro. No se aceptó nada.",
      other: "El inicio de sesión no se completó. Inténtelo de nuevo en un momento.",
    },
    welcome: "Lo que gastan sus agentes, y el freno.",
    welcomeLead:
      "Remit da a los agentes de IA una identidad, un presupuesto y un recibo. Aquí decide cuánto pueden gastar, ve lo que compraron y lo detiene todo con un toque.",
  },
};
