import type { Setup } from "../en/setup.ts";

export const setup: Setup = {
  setup: {
    title: "Preparar un agente",
    lead: "Un agente se registra con un token que sirve una sola vez. Sus claves se crean donde se ejecuta y nunca salen de allí.",
    name: "¿Cómo lo llama?",
    nameHint: "Solo usted ve este nombre hasta que el agente diga el suyo.",
    make: "Crear el token",
    run: "Ejecute esto donde vive el agente",
    runWhy: "Crea allí las claves del agente y lo registra como suyo.",
    copy: "Copiar",
    copied: "Copiado",
    scan: "Mostrarlo como código QR",
    qr: "La orden como código QR",
    once: (time) => `Se muestra solo esta vez. Sirve para un agente, hasta las ${time}.`,
    wait: "Ver cómo cobra vida",
    waiting: (name) => `Esperando a ${name} …`,
    there: (name) => `${name} ya está aquí.`,
    over: "Nadie usó el token a tiempo.",
    again: "Crear otro",
    then: "Darle un mandato",
    thenWhy: "Hasta entonces no puede gastar nada.",
  },
  live: {
    asks: "Un agente le pregunta algo",
    offline: "Sin conexión: lo que ve puede estar atrasado.",
    slow: "Está en camino. Espere aquí: pulsar otra vez no hace nada.",
    lost: "No llegó respuesta: la conexión está cortada o es lenta. Puede que se haya hecho de todos modos.",
    lostOnce: "Envíelo otra vez desde aquí: se hace una sola vez, por muchas que lo envíe.",
    lostElse: "Vuelva a cargar esta página y mire antes de enviarlo otra vez.",
  },
};
