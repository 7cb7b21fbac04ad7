import type { Security } from "../en/security.ts";

export const security: Security = {
  security: {
    title: "Seguridad",
    lead: "Cómo inicia sesión y dónde la tiene abierta.",
    methods: "Cómo inicia sesión",
    passkeys: "Llaves de acceso",
    password: "Contraseña",
    app: "Aplicación de autenticación",
    codes: "Códigos de recuperación restantes",
    set: "Configurada",
    notSet: "Sin configurar",
    none: "Ninguna",
    manage: "Cambiar cómo inicia sesión",
    applications: "Aplicaciones con acceso",
    manageElsewhere:
      "Esas páginas son del servidor de autorización: este portal nunca ve una contraseña ni una llave de acceso.",
    sessions: "Dónde tiene sesión abierta",
    device: "Dispositivo",
    address: "Dirección",
    lastSeen: "Visto por última vez",
    current: "este",
    end: "Cerrar sesión allí",
    endOthers: "Cerrar sesión en todos los demás",
    done: "Sesión cerrada allí.",
    lastUsed: (when) => `usada por última vez ${when}`,
  },
};
