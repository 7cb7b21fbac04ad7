export { dayOf, drawFeet, drawn, grouped, ink, type Paper, page, quiet, rule, write } from "./paper.ts";
