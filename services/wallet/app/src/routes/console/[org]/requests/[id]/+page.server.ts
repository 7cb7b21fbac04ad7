import { isProblemCode } from "@remit/protocol";
import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import { refusalIn } from "../../../../../../../src/refusals/index.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const { locale, platform } = event.locals;
  const request = await must(event, organizationApi(event).request({ params: { id: event.params.id } }));
  const { problem, status } = request;
  const [said, remedy] =
    problem !== null && isProblemCode(problem) ? refusalIn(locale, problem, status) : [undefined, undefined];
  return { request, said, remedy, docs: `${platform.issuer}/docs/problems/` };
};
