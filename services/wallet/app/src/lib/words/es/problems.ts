import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "No se pudo mostrar esta página",
    notFound: "No existe esa página",
    back: "Volver al principio",
    remedy: "Qué ayuda",
    codes: {
      not_found: "No hay nada suyo en esta dirección.",
      session_over: "Su sesión está cerrada. Iníciela de nuevo.",
      unavailable: "Remit no puede responder ahora mismo. No se cambió nada.",
      temporarily_unavailable: "Remit no puede responder ahora mismo. No se cambió nada.",
      outbound_failed:
        "Otro servidor no respondió como debía. Lo que ve puede estar atrasado; inténtelo de nuevo en un momento.",
      rate_limited: "Demasiadas solicitudes en poco tiempo. Espere un momento.",
      invalid_request: "Algo en el formulario no es correcto.",
      mandate_revoked: "Este mandato está revocado y así seguirá.",
      mandate_expired: "Este mandato ha caducado.",
      mandate_would_widen: "Eso permitiría más que ahora. Un mandato solo se puede reducir.",
      approval_answered: "Esta pregunta ya fue respondida, quizá en otro dispositivo.",
      approval_expired: "La pregunta es demasiado antigua. El agente puede preguntar de nuevo.",
      agent_suspended: "El operador del agente lo ha suspendido. Ahora no se le puede autorizar nada.",
      insufficient_user_authentication: "Esto requiere iniciar sesión de nuevo con un segundo factor.",
      insufficient_scope: "Este portal no puede hacer eso en su nombre.",
      idempotency_conflict: "Este formulario ya se envió con otros valores. Vuelva a cargar la página.",
    },
  },
};
