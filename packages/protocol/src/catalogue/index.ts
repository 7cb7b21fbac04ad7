export { type Catalogue, cataloguePath, examineCatalogue, makeCatalogue } from "./catalogue.ts";
