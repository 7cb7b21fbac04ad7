export { type Catalogue, cataloguePath, makeCatalogue, readCatalogue } from "./catalogue.ts";
