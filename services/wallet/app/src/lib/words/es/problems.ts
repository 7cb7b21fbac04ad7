import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "No se pudo mostrar esta página",
    notFound: "No existe esa página",
    back: "Volver al principio",
    unreached:
      "No llegó respuesta para esta página. Mire si este dispositivo tiene conexión y vuelva a cargarla.",
    again: "Volver a cargar",
  },
};
