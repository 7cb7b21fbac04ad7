import type { Refusals } from "./index.ts";

export const es: Refusals = {
  families: {
    missing: [
      "No hay nada suyo en esta dirección.",
      "Vuelva y siga un enlace de la lista: puede haberse movido o terminado.",
    ],
    form: ["Algo de lo introducido no se puede leer.", "Revise los campos y envíelo otra vez."],
    forbidden: [
      "Usted no puede hacer esto.",
      "Pida al propietario de la cuenta o de la organización que lo haga o que se lo permita.",
    ],
    signIn: ["Esto requiere demostrar de nuevo que es usted.", "Inicie sesión otra vez y repítalo."],
    program: [
      "Un programa preguntó a Remit de un modo que no se acepta.",
      "No se cambió nada. Quien escribe el programa necesita el código y el número de solicitud de abajo.",
    ],
    agent: [
      "El agente pagó de un modo que no es válido.",
      "No se gastó nada. Deje que el agente pida la compra de nuevo; quien lo opera necesita el código de abajo.",
    ],
    merchant: [
      "Algo no es correcto en el comercio.",
      "No se gastó nada. Solo el comercio puede arreglarlo; pruebe con otro o más tarde.",
    ],
    mandate: ["El mandato no cubre esto.", "No se gastó nada. Dé al agente otro mandato si debe comprarlo."],
    stopped: [
      "Esto está detenido por ahora.",
      "Levante el bloqueo o reanúdelo primero, si es lo que quiere.",
    ],
    payment: ["El pago no se realizó.", "Revise sus medios de pago y elija otro si hace falta."],
    taken: ["Este nombre o esta dirección ya está en uso.", "Elija otro."],
    full: ["Ya hay tantos como puede haber.", "Termine uno que no haga falta o cambie de plan."],
    changed: [
      "Ya no está como cuando abrió esta página.",
      "Vuelva a cargar la página y mire antes de repetirlo.",
    ],
    over: ["Esto ha terminado y así seguirá.", "Empiece uno nuevo si aún lo necesita."],
    once: ["Esto ya se envió.", "No lo envíe de nuevo: vuelva a cargar la página y vea cómo fue."],
    wait: [
      "Remit no puede responder ahora mismo. No se cambió nada.",
      "Espere un momento e inténtelo de nuevo.",
    ],
    elsewhere: [
      "Otro servidor no respondió como debía.",
      "Lo que ve puede estar atrasado. Inténtelo de nuevo en un momento.",
    ],
    ours: [
      "Algo falló de nuestro lado.",
      "Inténtelo de nuevo; si vuelve a fallar, envíenos el número de solicitud de abajo.",
    ],
    proof: [
      "Una prueba no se sostiene.",
      "No se fíe de lo que debía mostrar. Guarde el archivo y avise a su operador.",
    ],
  },
  codes: {
    session_over: ["Su sesión está cerrada.", "Iníciela de nuevo; volverá a esta página."],
    agent_frozen: [
      "El agente está bloqueado, o todo lo está.",
      "Levante el bloqueo en la página Agentes si debe comprar de nuevo.",
    ],
    agent_suspended: [
      "El operador del agente lo ha suspendido.",
      "No se le puede autorizar nada hasta que su operador lo reanude.",
    ],
    agent_decommissioned: ["El operador cerró este agente.", "Prepare otro."],
    already_settled: ["Esto ya está pagado.", "No pague otra vez: su recibo está en Actividad."],
    approval_answered: [
      "Esta pregunta ya fue respondida, quizá en otro dispositivo.",
      "Vuelva a cargar la página: muestra la respuesta, que es definitiva.",
    ],
    approval_denied: [
      "Usted rechazó esta compra.",
      "No se gastó nada. Si debía pasar, deje que el agente pregunte de nuevo.",
    ],
    approval_expired: [
      "La pregunta es demasiado antigua.",
      "No se gastó nada. El agente puede preguntar de nuevo.",
    ],
    approval_limit_reached: [
      "Esperan demasiadas preguntas de este agente.",
      "Responda primero las que esperan.",
    ],
    approval_required: ["Esta compra espera su respuesta.", "Respóndala en Aprobaciones."],
    authentication_pending: [
      "Su banco aún no ha confirmado este pago.",
      "Confírmelo primero con su banco y luego apruébelo aquí.",
    ],
    authentication_required: [
      "Su banco quiere saber que es usted.",
      "Confirme el pago con su banco en Aprobaciones o use otra tarjeta.",
    ],
    card_declined: [
      "La tarjeta fue rechazada.",
      "No se gastó nada. Añada otra tarjeta o pregunte al banco que emitió esta.",
    ],
    payment_declined: ["El pago fue rechazado.", "No se gastó nada. Pruebe otro medio de pago."],
    instrument_missing: ["No hay ningún medio de pago.", "Añada una tarjeta en Medios de pago."],
    charge_capture_too_late: [
      "Pasó el plazo para cobrar este pago.",
      "El importe volvió. El agente puede comprar de nuevo.",
    ],
    charge_in_progress: [
      "Aún no se sabe cómo terminó esta compra.",
      "Espere un momento: se resuelve sola, una única vez.",
    ],
    charge_mandate_revoked: ["Usted revocó el mandato de esta compra.", "No se cobra nada más con él."],
    charge_offer_amount_exceeds_mandate: [
      "El precio supera lo que el mandato permite para una compra.",
      "No se gastó nada. Dé un mandato con un límite mayor si lo vale.",
    ],
    dispute_exists: [
      "Ya hay una disputa abierta sobre esta compra.",
      "Léala; se puede abrir otra cuando termine.",
    ],
    dispute_not_possible: [
      "Esta compra no se puede disputar.",
      "Solo lo pagado, no devuelto y no demasiado antiguo.",
    ],
    dispute_state_conflict: [
      "La disputa ha avanzado entretanto.",
      "Vuelva a cargar la página y vea en qué punto está.",
    ],
    email_taken: ["Ya hay una cuenta con esta dirección de correo.", "Inicie sesión en su lugar."],
    forbidden: [
      "Usted no puede hacer esto.",
      "Pida al propietario de la cuenta o de la organización que lo haga o que se lo permita.",
    ],
    idempotency_conflict: [
      "Este formulario ya se envió con otros valores.",
      "Vuelva a cargar la página y rellénelo de nuevo.",
    ],
    idempotency_in_flight: ["Esto aún se está haciendo.", "Espere un momento y vuelva a cargar la página."],
    insufficient_scope: [
      "Este portal no puede hacer eso en su nombre.",
      "Cierre la sesión, iníciela de nuevo y permita al portal lo que pide.",
    ],
    insufficient_user_authentication: [
      "Esto requiere iniciar sesión de nuevo con un segundo factor.",
      "Inicie sesión con su llave de acceso o su aplicación de autenticación.",
    ],
    internal_error: [
      "Algo falló de nuestro lado.",
      "Inténtelo de nuevo; si vuelve a fallar, envíenos el número de solicitud de abajo.",
    ],
    invalid_request: [
      "Algo en el formulario no es correcto.",
      "Revise importes, fechas y direcciones, y envíelo otra vez.",
    ],
    invitation_invalid: [
      "La invitación está usada, es antigua o es para otra persona.",
      "Pida una nueva y ábrala con la dirección a la que se envió.",
    ],
    mandate_cap_exceeded: [
      "No queda bastante en el mandato.",
      "No se gastó nada. Dé otro si el agente debe seguir.",
    ],
    mandate_category_not_allowed: [
      "El mandato no cubre este tipo de comercio.",
      "No se gastó nada. Dé otro mandato si debe hacerlo.",
    ],
    mandate_expired: ["Este mandato ha caducado.", "Dé uno nuevo si el agente debe seguir."],
    mandate_merchant_not_allowed: [
      "El mandato no cubre este comercio.",
      "No se gastó nada. Dé uno que lo nombre si confía en él.",
    ],
    mandate_revoked: ["Este mandato está revocado y así seguirá.", "Dé uno nuevo si ha cambiado de opinión."],
    mandate_suspended: [
      "Este mandato está en pausa.",
      "Reanúdelo en su página si el agente debe comprar de nuevo.",
    ],
    mandate_uses_exhausted: ["El mandato era para una compra, que ya se hizo.", "Dé otro para la siguiente."],
    mandate_velocity_exceeded: [
      "Se alcanzó el límite de este periodo.",
      "Se abre de nuevo por sí solo con el siguiente.",
    ],
    mandate_would_widen: [
      "Eso permitiría más que ahora.",
      "Un mandato solo se puede reducir: dé uno nuevo para permitir más.",
    ],
    not_found: [
      "No hay nada suyo en esta dirección.",
      "Vuelva y siga un enlace de la lista: puede haberse movido o terminado.",
    ],
    outbound_failed: [
      "Otro servidor no respondió como debía.",
      "Lo que ve puede estar atrasado. Inténtelo de nuevo en un momento.",
    ],
    passkey_refused: [
      "La llave de acceso no fue aceptada.",
      "Use una de las que figuran en Seguridad e inténtelo de nuevo.",
    ],
    step_up_refused: ["No lo confirmó usted.", "No se aprobó nada. Confírmelo con su llave de acceso."],
    precondition_failed: [
      "Se cambió entretanto, quizá en otro dispositivo.",
      "Vuelva a cargar la página, mírelo y haga su cambio de nuevo.",
    ],
    rate_limited: ["Demasiadas solicitudes en poco tiempo.", "Espere un momento."],
    refund_refused: [
      "La devolución fue rechazada y nada volvió.",
      "Abra una disputa desde el recibo si le corresponde.",
    ],
    rule_category_blocked: [
      "Una regla suya bloquea este tipo de comercio.",
      "No se gastó nada. Cámbiela en Reglas si no es lo que quiere.",
    ],
    rule_limit_exceeded: [
      "Se alcanzó un límite suyo sobre todos los mandatos.",
      "Se abre de nuevo con el siguiente periodo, o súbalo en Reglas.",
    ],
    rule_merchant_blocked: [
      "Una regla suya bloquea este comercio.",
      "No se gastó nada. Cámbiela en Reglas si no es lo que quiere.",
    ],
    setup_token_invalid: ["El token está usado o es demasiado antiguo.", "Cree otro en la página Agentes."],
    temporarily_unavailable: [
      "Remit no puede responder ahora mismo. No se cambió nada.",
      "Espere un momento e inténtelo de nuevo.",
    ],
    unavailable: [
      "Remit no puede responder ahora mismo. No se cambió nada.",
      "Espere un momento e inténtelo de nuevo.",
    ],
  },
};
