import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = ({ url }) => ({ ended: url.searchParams.get("because") === "ended" });
