import type { Palette } from "../en/palette.ts";

export const palette: Palette = {
  palette: {
    open: "Buscar",
    title: "Buscar o hacer cualquier cosa",
    hint: "Una página, un nombre, un identificador",
    found: "Encontrado",
    actions: "Hacer",
    pages: "Ir a",
    reversible: "Se puede levantar en cualquier momento",
    searching: "Buscando",
    none: (typed: string) => `Nada se llama «${typed}». Un identificador se encuentra cuando está completo.`,
    count: (count: string) => `${count} para elegir`,
    keys: "↑ ↓ elegir · Intro abre · Esc cierra",
    kinds: {
      agent: "Agente",
      mandate: "Mandato",
      charge: "Compra",
      merchant: "Comercio",
      approval: "Aprobación",
      offer: "Oferta",
      webhook: "Webhook",
      entry: "Entrada de auditoría",
      request: "Solicitud",
      dispute: "Disputa",
      shop: "Tienda",
    },
  },
};
