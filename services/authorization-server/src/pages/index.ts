export { createFormCheck, csrf, type FormCheck } from "./form-check.ts";
export { type Html, html } from "./html.ts";
export { keepingScript, keptCodes } from "./kept-codes.ts";
export { layout, type NavItem, type PageParts, type PageRights, pageHeaders } from "./layout.ts";
export {
  actions,
  type Button,
  button,
  type Field,
  type Form,
  field,
  form,
  hidden,
  list,
  notice,
  table,
  tick,
} from "./parts.ts";
export { errorPage, refusalPage } from "./refusal.ts";
export { type Script, script } from "./script.ts";
