import { frameOf } from "#lib/console/server.ts";
import type { LayoutServerLoad } from "./$types.ts";

export const load: LayoutServerLoad = (event) => frameOf(event);
